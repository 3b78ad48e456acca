// Thousands of kept HTTP/1.1 connections in one thread, as the agents and browsers of a whole company hold them: each
// asks, hears its answer and asks again. For load generators: what does not go as expected ends the program with a
// message.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"

namespace backstay::load {

class Crowd {
public:
    struct Answer {
        std::size_t line;
        int status;
        std::string_view body;  // of a stream: what came just now
    };
    using OnAnswer = std::function<void(const Answer&)>;

    Crowd(const std::string& host, std::uint16_t port, OnAnswer on_answer);

    // A new connection, from a loopback address of its own for each 20,000: one address has only so many ports. Lines
    // are numbered from 0.
    std::size_t connect();
    // One request on that line; its answer must have come before the next. `stream`: the answer has no end.
    void send(std::size_t line, std::string_view request, bool stream = false);
    // Hears answers for at most so long, or until `wake` can be read (then true).
    bool turn(int timeout_ms, int wake = -1);

private:
    struct Line {
        Fd socket;
        std::string in;
        bool stream = false;
        bool head_seen = false;
    };
    void read(std::size_t number);
    void take(std::size_t number);

    sockaddr_in to_{};
    OnAnswer on_answer_;
    Fd poll_;
    std::vector<Line> lines_;
};

// "POST /path" with a body of JSON; `credential` as a bearer.
std::string request_text(std::string_view method, std::string_view path, std::string_view credential,
                         std::string_view body);

[[noreturn]] void give_up(const std::string& why);

}  // namespace backstay::load
