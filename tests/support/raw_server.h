// A loopback peer that answers by script, for what a well-behaved server never does: each connection is given to the
// handler as a plain socket on a thread of its own. Ends with its destructor, which shuts the open sockets down.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace backstay::testing {

// A connection to a server on this host; -1: none. The caller closes it.
inline int connect_to(std::uint16_t port) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return socket;
    ::close(socket);
    return -1;
}

class RawServer {
public:
    using Handler = std::function<void(int socket)>;

    // `unix_path` empty: TCP on a port of the system's choice.
    explicit RawServer(Handler handler, const std::string& unix_path = "") : handler_(std::move(handler)) {
        if (unix_path.empty()) {
            listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            bind_and_listen(address);
            socklen_t size = sizeof(address);
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
            port_ = ntohs(address.sin_port);
        } else {
            listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
            bind_and_listen(address);
        }
        acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
    }

    ~RawServer() {
        acceptor_.request_stop();
        acceptor_.join();
        ::close(listener_);
        {
            const std::lock_guard lock(mutex_);
            for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
        }
        workers_.clear();
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    std::string url(std::string_view path = "/") const {
        return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
    }
    std::uint16_t port() const { return port_; }

    static void send_text(int socket, std::string_view text) {
        while (!text.empty()) {
            const ssize_t count = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(count));
        }
    }

    // Head and body (by Content-Length) of the next request; "" when the peer has gone.
    static std::string read_request(int socket) {
        std::string text;
        std::size_t needed = 0;
        char buffer[65536];
        while (needed == 0 || text.size() < needed) {
            const ssize_t count = ::recv(socket, buffer, sizeof(buffer), 0);
            if (count <= 0) return "";
            text.append(buffer, static_cast<std::size_t>(count));
            const std::size_t end = text.find("\r\n\r\n");
            if (needed != 0 || end == std::string::npos) continue;
            const std::size_t length = text.find("Content-Length: ");
            needed = end + 4;
            if (length < end) needed += std::strtoull(text.c_str() + length + 16, nullptr, 10);
        }
        return text;
    }

    // Blocks until the peer closes, or the server ends.
    static void wait_for_close(int socket) {
        char buffer[4096];
        while (::recv(socket, buffer, sizeof(buffer), 0) > 0) {
        }
    }

    static void reset(int socket) {
        const linger now{1, 0};
        ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }

private:
    template <class Address>
    void bind_and_listen(const Address& address) {
        if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
            ::listen(listener_, 64) != 0) {
            std::abort();
        }
    }

    void accept_all(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            pollfd waiting{listener_, POLLIN, 0};
            if (::poll(&waiting, 1, 20) <= 0) continue;
            const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (socket < 0) continue;
            const std::lock_guard lock(mutex_);
            sockets_.insert(socket);
            workers_.emplace_back([this, socket] {
                handler_(socket);
                const std::lock_guard own(mutex_);
                sockets_.erase(socket);
                ::close(socket);
            });
        }
    }

    Handler handler_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::set<int> sockets_;
    std::vector<std::jthread> workers_;
    std::jthread acceptor_;
};

}  // namespace backstay::testing
