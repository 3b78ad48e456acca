// The real HTTP server on a loop of its own, on a loopback port of the system's choice or a Unix socket.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "common/http/server.h"
#include "tests/support/loop_thread.h"

namespace backstay::testing {

class TestServer {
public:
    // The handler runs on the loop's thread.
    explicit TestServer(http::Handler handler, http::ServerLimits limits = {}, const http::TlsFiles* tls = nullptr)
        : TestServer(std::move(handler), http::Server::Options{limits, tls, nullptr}) {}
    TestServer(http::Handler handler, http::Server::Options options) {
        thread_.run([&] {
            auto made = http::Server::create(thread_.loop(), std::move(options), std::move(handler));
            if (!made) std::abort();
            server_ = std::move(made).value();
            port_ = server_->listen_tcp("127.0.0.1", 0).value();
        });
    }
    ~TestServer() {
        thread_.run([&] { server_.reset(); });
    }
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
    // Only inside run().
    http::Server& server() { return *server_; }
    Loop& loop() { return thread_.loop(); }
    void run(const std::function<void()>& task) { thread_.run(task); }

    std::size_t connections() {
        std::size_t count = 0;
        run([&] { count = server_->open_connections(); });
        return count;
    }

private:
    LoopThread thread_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
};

}  // namespace backstay::testing
