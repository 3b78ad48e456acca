// A plain socket that says exactly what a test wants said, and reads answers as they are. Every wait ends after ten
// seconds, as if the peer had closed.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"

namespace backstay::testing {

struct RawAnswer {
    int status = 0;
    std::string head;
    std::string body;
};

class RawClient {
public:
    explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) std::abort();
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    explicit RawClient(const std::string& unix_path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        unix_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) std::abort();
    }
    ~RawClient() { close(); }
    RawClient(RawClient&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}
    RawClient& operator=(RawClient&&) = delete;

    // Stops quietly when the peer takes no more.
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) return false;
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    void half_close() { ::shutdown(socket_, SHUT_WR); }
    void close() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }
    int socket() const { return socket_; }

    // The next answer, also a chunked one; nothing when the peer closed before it was whole.
    std::optional<RawAnswer> read_answer(bool to_head = false) {
        RawAnswer answer;
        do {
            const auto head = take_until("\r\n\r\n");
            if (!head || head->size() < 12) return std::nullopt;
            answer.head = *head;
            answer.status = std::atoi(head->c_str() + 9);
        } while (answer.status == 100);
        if (to_head || answer.status == 204 || answer.status == 304) return answer;
        if (has(answer, "transfer-encoding: chunked")) return read_chunks(std::move(answer));
        const std::string text = field(answer, "content-length");
        if (text.empty()) {
            answer.body = read_to_end();
            return answer;
        }
        const auto body = take(std::strtoull(text.c_str(), nullptr, 10));
        if (!body) return std::nullopt;
        answer.body = *body;
        return answer;
    }

    // Reads on until `text` has come, and answers everything up to and with it.
    std::optional<std::string> take_until(std::string_view text) {
        while (true) {
            const std::size_t at = buffer_.find(text);
            if (at != std::string::npos) return take(at + text.size());
            if (!receive()) return std::nullopt;
        }
    }
    std::optional<std::string> take(std::size_t size) {
        while (buffer_.size() < size) {
            if (!receive()) return std::nullopt;
        }
        std::string text = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return text;
    }
    std::string read_to_end() {
        while (receive()) {
        }
        return std::exchange(buffer_, {});
    }
    // Whether the peer closes, in time and without another byte.
    bool closed() { return !receive() && buffer_.empty() && !timed_out_; }
    bool timed_out() const { return timed_out_; }

    // The value of a field (lower-case name) of an answer's head, or "".
    static std::string field(const RawAnswer& answer, const std::string& name) {
        std::string head = lower(answer.head);
        const std::size_t at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) return "";
        const std::size_t begin = at + name.size() + 4;
        return answer.head.substr(begin, answer.head.find("\r\n", begin) - begin);
    }
    static bool has(const RawAnswer& answer, const std::string& lower_case_text) {
        return lower(answer.head).find(lower_case_text) != std::string::npos;
    }

private:
    static std::string lower(std::string text) {
        std::transform(text.begin(), text.end(), text.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        return text;
    }

    bool receive() {
        pollfd waiting{socket_, POLLIN, 0};
        if (::poll(&waiting, 1, 10'000) <= 0) {
            timed_out_ = true;
            return false;
        }
        char piece[65536];
        const ssize_t count = ::recv(socket_, piece, sizeof(piece), 0);
        if (count <= 0) return false;
        buffer_.append(piece, static_cast<std::size_t>(count));
        return true;
    }

    std::optional<RawAnswer> read_chunks(RawAnswer answer) {
        while (true) {
            const auto line = take_until("\r\n");
            if (!line) return std::nullopt;
            const std::size_t size = std::strtoull(line->c_str(), nullptr, 16);
            const auto chunk = take(size + 2);
            if (!chunk) return std::nullopt;
            if (size == 0) return answer;
            answer.body += chunk->substr(0, size);
        }
    }

    int socket_;
    std::string buffer_;
    bool timed_out_ = false;
};

}  // namespace backstay::testing
