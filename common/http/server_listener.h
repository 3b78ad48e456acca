// A listening TCP or Unix socket of the server. Loop thread. Part of the server only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/event/loop.h"
#include "common/result.h"

struct uv_stream_s;

namespace backstay::http {

class Listener {
public:
    // Called for every connection that waits.
    using OnWaiting = std::function<void(uv_stream_s* listener)>;

    static Result<std::unique_ptr<Listener>> tcp(Loop& loop, const std::string& address, std::uint16_t port,
                                                 OnWaiting on_waiting);
    static Result<std::unique_ptr<Listener>> unix_socket(Loop& loop, const std::string& path, unsigned mode,
                                                         const std::string& group, OnWaiting on_waiting);
    // Closes the socket; the file of a Unix socket goes with it.
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Of a TCP socket.
    Result<std::uint16_t> port() const;

private:
    struct Node;
    explicit Listener(Node* node) : node_(node) {}
    Result<> listen();
    Node* node_;
};

}  // namespace backstay::http
