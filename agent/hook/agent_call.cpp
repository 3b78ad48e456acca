#include "agent/hook/agent_call.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace backstay::hook {
namespace {

Answer failed(std::string message) { return {Outcome::failed, std::move(message), false}; }
Answer trouble(const std::string& what) { return failed(what + ": " + std::strerror(errno)); }

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }

private:
    int number_;
};

bool send_with(int socket, const std::string& text, const std::vector<int>& descriptors) {
    iovec piece{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kDescriptorsMax)] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        const std::size_t bytes = sizeof(int) * descriptors.size();
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(bytes);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(bytes);
        std::memcpy(CMSG_DATA(header), descriptors.data(), bytes);
    }
    while (true) {
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent >= 0) return true;
        if (errno != EINTR) return false;
    }
}

// The text, and the one descriptor that may come beside it.
ssize_t receive(int socket, char* text, std::size_t size, int& beside) {
    iovec piece{text, size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* header = count > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
        std::memcpy(&beside, CMSG_DATA(header), sizeof(int));
    }
    return count;
}

std::int64_t now_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

Answer ask(const Call& call, const Request& request, const std::vector<int>& descriptors, int* beside) {
    const Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return trouble("socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (call.socket.size() >= sizeof(address.sun_path)) return failed("the socket's path is too long");
    std::memcpy(address.sun_path, call.socket.c_str(), call.socket.size() + 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return trouble("no agent answers on " + call.socket);
    }
    if (!send_with(socket.get(), write_request(request), descriptors)) return trouble("ask the agent");
    const std::int64_t deadline = now_ms() + static_cast<std::int64_t>(call.timeout_s) * 1000;
    while (true) {
        const std::int64_t left = deadline - now_ms();
        if (left <= 0) return failed("no answer within " + std::to_string(call.timeout_s) + " s");
        pollfd waiting{socket.get(), POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left)) < 0 && errno != EINTR) return trouble("wait for the agent");
        char text[kMessageMax];
        int file = -1;
        const ssize_t count = receive(socket.get(), text, sizeof(text), file);
        if (count > 0) {
            Answer answer = read_answer({text, static_cast<std::size_t>(count)});
            const bool wanted = answer.outcome == Outcome::ok && answer.beside && beside != nullptr;
            if (wanted && file < 0) return failed("the agent's file did not come");
            if (wanted) {
                *beside = file;
            } else if (file >= 0) {
                ::close(file);
            }
            return answer;
        }
        if (count == 0) return failed("the agent went away");
        if (errno != EAGAIN && errno != EINTR) return trouble("hear the agent");
    }
}

std::uint64_t system_id_at(const std::string& wal_path) {
    // archive_command and restore_command run in the data directory; pg_wal may be a link to elsewhere.
    std::vector<std::string> places = {"global/pg_control"};
    const std::size_t file = wal_path.rfind('/');
    const std::size_t folder =
        file == std::string::npos || file == 0 ? std::string::npos : wal_path.rfind('/', file - 1);
    if (wal_path.starts_with('/') && folder != std::string::npos) {
        places.insert(places.begin(), wal_path.substr(0, folder) + "/global/pg_control");
    }
    for (const std::string& place : places) {
        const Descriptor control(::open(place.c_str(), O_RDONLY | O_CLOEXEC));
        std::uint64_t system_id = 0;
        if (control.get() >= 0 && ::read(control.get(), &system_id, sizeof(system_id)) == sizeof(system_id)) {
            return system_id;
        }
    }
    return 0;
}

}  // namespace backstay::hook
