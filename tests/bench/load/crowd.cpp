#include "tests/bench/load/crowd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace backstay::load {
namespace {

// The kernel looks for a free port in vain more and more often.
constexpr std::size_t kLinesOfAnAddress = 2'000;
constexpr std::size_t kPiece = 64 << 10;
constexpr std::uint64_t kWake = ~0ULL;

void watch(const Fd& poll, int file, std::uint64_t number) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, file, &event) != 0 && errno != EEXIST) give_up("epoll_ctl");
}

// Of our own server, whose spelling is known.
std::size_t content_length(std::string_view head) {
    const std::size_t at = head.find("Content-Length: ");
    if (at == std::string_view::npos) return 0;
    std::size_t length = 0;
    std::from_chars(head.data() + at + 16, head.data() + head.size(), length);
    return length;
}

}  // namespace

void give_up(const std::string& why) {
    std::fprintf(stderr, "load-tool: %s (%s)\n", why.c_str(), std::strerror(errno));
    std::exit(1);
}

std::string request_text(std::string_view method, std::string_view path, std::string_view credential,
                         std::string_view body) {
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: control\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\n\r\n{}",
        method, path, credential, body.size(), body);
}

Crowd::Crowd(const std::string& host, std::uint16_t port, OnAnswer on_answer)
    : on_answer_(std::move(on_answer)), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    to_.sin_family = AF_INET;
    to_.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &to_.sin_addr) != 1) give_up("no address: " + host);
}

std::size_t Crowd::connect() {
    const std::size_t number = lines_.size();
    Line line;
    line.socket = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!line.socket.open()) give_up("no socket: ulimit -n?");
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(0x7f000002U + static_cast<std::uint32_t>(number / kLinesOfAnAddress));
    const int on = 1;
    ::setsockopt(line.socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    ::setsockopt(line.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::bind(line.socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) give_up("bind");
    if (::connect(line.socket.get(), reinterpret_cast<const sockaddr*>(&to_), sizeof(to_)) != 0) give_up("connect");
    if (::fcntl(line.socket.get(), F_SETFL, O_NONBLOCK) != 0) give_up("fcntl");
    watch(poll_, line.socket.get(), number);
    lines_.push_back(std::move(line));
    return number;
}

void Crowd::send(std::size_t line, std::string_view request, bool stream) {
    lines_[line].stream = stream;
    // Requests are small and go one by one: the socket's buffer has room.
    const ssize_t sent = ::send(lines_[line].socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) give_up(fmt::format("line {} does not take a request", line));
}

bool Crowd::turn(int timeout_ms, int wake) {
    if (wake >= 0) watch(poll_, wake, kWake);
    std::array<epoll_event, 512> events{};
    const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
    if (count < 0 && errno != EINTR) give_up("epoll_wait");
    bool woken = false;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t number = events[static_cast<std::size_t>(i)].data.u64;
        number == kWake ? void(woken = true) : read(static_cast<std::size_t>(number));
    }
    return woken;
}

void Crowd::read(std::size_t number) {
    std::array<char, kPiece> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t count = ::recv(lines_[number].socket.get(), piece.data(), piece.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) give_up(fmt::format("line {} was closed", number));
    lines_[number].in.append(piece.data(), static_cast<std::size_t>(count));
    take(number);
}

void Crowd::take(std::size_t number) {
    Line& line = lines_[number];
    if (line.stream && line.head_seen) {
        const std::string piece = std::exchange(line.in, {});
        return on_answer_({number, 200, piece});
    }
    const std::size_t end = line.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string_view head(line.in.data(), end);
    int status = 0;
    std::from_chars(head.data() + 9, head.data() + 12, status);
    line.head_seen = line.stream && status == 200;
    const std::size_t whole = end + 4 + (line.head_seen ? 0 : content_length(head));
    if (line.in.size() < whole) return;
    const std::string answer = line.in.substr(0, whole);
    line.in.erase(0, whole);
    // The line may send its next request now; `line` must not be used any more: connect() moves it.
    on_answer_({number, status, std::string_view(answer).substr(end + 4)});
}

}  // namespace backstay::load
