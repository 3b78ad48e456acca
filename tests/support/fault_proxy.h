// Stands between a client and a real HTTP server and harms the requests that a test chooses: the state stays the real
// server's. One upstream connection a request; loopback only.
#pragma once

#include <netdb.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/raw_server.h"

namespace backstay::testing {

struct ProxiedRequest {
    std::string method;
    std::string target;
    std::string head;  // all of it, as sent

    bool has(std::string_view text) const { return head.find(text) != head.npos; }
    bool is_part() const { return method == "PUT" && target.find("partNumber=") != target.npos; }
    bool is_begin() const { return method == "POST" && target.find("uploads=") != target.npos; }
    bool is_complete() const { return method == "POST" && target.find("?uploadId=") != target.npos; }
    bool is_abort() const { return method == "DELETE" && target.find("uploadId=") != target.npos; }
    bool is_put() const { return method == "PUT" && !is_part(); }
};

struct Fault {
    enum class Kind {
        none,
        answer,       // `text` as the whole answer; the server hears nothing
        answer_late,  // the server does it, and `text` is the answer all the same
        refuse,       // the connection breaks before the body is read
        tear_body,    // the connection breaks in the middle of the request's body
        lose_answer,  // the server does it, its answer never comes
        truncate,     // `bytes` of the answer's body come
        hang,         // nothing more, for ever
        corrupt,      // one bit of the request's body changes on the way
        trickle,      // the answer comes in small pieces with pauses
    };
    Kind kind = Kind::none;
    std::string text;
    std::size_t bytes = 0;

    static Fault status(int code, const std::string& s3_code, const std::string& headers = "") {
        const std::string body =
            s3_code.empty() ? "" : "<Error><Code>" + s3_code + "</Code><Message>no</Message></Error>";
        return {Kind::answer, raw(code, body, headers), 0};
    }
    static std::string raw(int code, const std::string& body, const std::string& headers = "") {
        return "HTTP/1.1 " + std::to_string(code) + " Status\r\n" + headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
    }
};

class FaultProxy {
public:
    // Asked for each request, on the connection's thread; one call at a time.
    using Chooser = std::function<Fault(const ProxiedRequest&)>;

    FaultProxy(std::uint16_t upstream_port, Chooser choose)
        : upstream_port_(upstream_port), choose_(std::move(choose)), server_([this](int socket) { serve(socket); }) {}

    std::uint16_t port() const { return server_.port(); }
    int count(const std::function<bool(const ProxiedRequest&)>& which) {
        const std::lock_guard lock(mutex_);
        return static_cast<int>(std::count_if(seen_.begin(), seen_.end(), which));
    }

private:
    void serve(int client) {
        std::string head;
        std::string body;
        if (!read_head(client, head, body)) return;
        ProxiedRequest request;
        request.head = head;
        request.method = head.substr(0, head.find(' '));
        const std::size_t start = head.find(' ') + 1;
        request.target = head.substr(start, head.find(' ', start) - start);
        Fault fault;
        {
            const std::lock_guard lock(mutex_);
            seen_.push_back(request);
            fault = choose_(request);
        }
        const std::size_t length = header_number(head, "Content-Length: ");
        if (fault.kind == Fault::Kind::refuse) return RawServer::reset(client);
        const bool tear = fault.kind == Fault::Kind::tear_body;
        if (!read_more(client, body, tear ? length / 2 : length)) return;
        if (tear) return RawServer::reset(client);
        if (fault.kind == Fault::Kind::hang) return RawServer::wait_for_close(client);
        if (fault.kind == Fault::Kind::answer) return RawServer::send_text(client, fault.text);
        if (fault.kind == Fault::Kind::corrupt && !body.empty()) body[body.size() / 2] ^= 1;
        forward(client, head, body, fault);
    }

    void forward(int client, std::string head, const std::string& body, const Fault& fault) {
        const int upstream = connect_to(upstream_port_);
        if (upstream < 0) return;
        head.insert(head.size() - 2, "Connection: close\r\n");
        RawServer::send_text(upstream, head);
        RawServer::send_text(upstream, body);
        std::string answer;
        char buffer[65536];
        for (ssize_t count = 0; (count = ::recv(upstream, buffer, sizeof(buffer), 0)) > 0;) {
            answer.append(buffer, static_cast<std::size_t>(count));
        }
        ::close(upstream);
        deliver(client, answer, fault);
    }

    static void deliver(int client, const std::string& answer, const Fault& fault) {
        switch (fault.kind) {
            case Fault::Kind::lose_answer:
                return RawServer::reset(client);
            case Fault::Kind::answer_late:
                return RawServer::send_text(client, fault.text);
            case Fault::Kind::truncate:
                return RawServer::send_text(client, answer.substr(0, answer.find("\r\n\r\n") + 4 + fault.bytes));
            case Fault::Kind::trickle:
                for (std::size_t at = 0; at < answer.size(); at += fault.bytes) {
                    RawServer::send_text(client, std::string_view(answer).substr(at, fault.bytes));
                    std::this_thread::sleep_for(std::chrono::milliseconds(2));
                }
                return;
            default:
                return RawServer::send_text(client, answer);
        }
    }

    static bool read_head(int client, std::string& head, std::string& body) {
        for (std::size_t end = head.npos; end == head.npos; end = head.find("\r\n\r\n")) {
            if (!receive(client, head)) return false;
        }
        const std::size_t end = head.find("\r\n\r\n") + 4;
        body = head.substr(end);
        head.resize(end);
        return true;
    }
    static bool read_more(int client, std::string& body, std::size_t length) {
        while (body.size() < length) {
            if (!receive(client, body)) return false;
        }
        return true;
    }
    static bool receive(int client, std::string& text) {
        char buffer[65536];
        const ssize_t count = ::recv(client, buffer, sizeof(buffer), 0);
        if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
        return count > 0;
    }
    static std::size_t header_number(const std::string& head, const char* name) {
        const std::size_t at = head.find(name);
        return at == head.npos ? 0 : std::strtoull(head.c_str() + at + std::strlen(name), nullptr, 10);
    }

    std::uint16_t upstream_port_;
    Chooser choose_;
    std::mutex mutex_;
    std::vector<ProxiedRequest> seen_;
    RawServer server_;  // last: its threads use the rest
};

}  // namespace backstay::testing
