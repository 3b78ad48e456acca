#include "agent/archiver/wal_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "common/log.h"
#include "common/process/account.h"

namespace backstay::archiver {
namespace {

constexpr std::size_t kPushThreads = 4;  // each PostgreSQL calls one at a time; several clusters may
constexpr std::size_t kFetchThreads = 3;
constexpr std::size_t kFetchesMax = 32;  // that wait
constexpr int kFirstMessageMs = 5'000;
constexpr int kQueue = 64;

Result<gid_t> group_id(const std::string& name) {
    const auto group = group_named(name);
    if (!group) return Error(Errc::invalid, fmt::format("wal_group: there is no group \"{}\"", name));
    return *group;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof(address.sun_path) - 1));
    return address;
}

bool is_listened_on(const std::string& path) {
    const Fd probe(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_of(path);
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN;
}

// The message and the descriptors beside it.
Result<SocketCall> receive(const Fd& connection) {
    char text[hook::kMessageMax];
    iovec piece{text, sizeof(text)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * hook::kDescriptorsMax)] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t count = ::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
    if (count < 0) return Error::from_errno(errno, "hear a hook");
    SocketCall call;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t descriptors = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < descriptors; ++i) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            call.descriptors.emplace_back(number);
        }
    }
    auto request = hook::read_request({text, static_cast<std::size_t>(count)});
    if (!request || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        call.descriptors.size() != request->descriptors()) {
        return Error(Errc::invalid, "the request is not understood");
    }
    call.request = std::move(*request);
    return call;
}

void send(const Fd& connection, const SocketAnswer& answer) {
    std::string text = hook::write_answer(answer.answer);
    iovec piece{text.data(), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (answer.answer.beside) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int number = answer.beside.get();
        std::memcpy(CMSG_DATA(header), &number, sizeof(int));
    }
    static_cast<void>(::sendmsg(connection.get(), &message, MSG_NOSIGNAL));
}

void refuse(const Fd& connection, std::string why) {
    send(connection, {{hook::Outcome::failed, std::move(why), false}, {}});
}

}  // namespace

Result<std::unique_ptr<WalSocket>> WalSocket::listen(const std::string& path, const std::string& group, Serve serve) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) == 0) {
        if (!S_ISSOCK(about.st_mode)) return Error(Errc::conflict, path + " is there and is no socket");
        if (is_listened_on(path)) return Error(Errc::conflict, "another process listens on " + path);
        ::unlink(path.c_str());
    }
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return Error::from_errno(errno, "socket");
    const sockaddr_un address = address_of(path);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return Error::from_errno(errno, "bind " + path);
    }
    if (!group.empty()) {
        const gid_t id = TRY(group_id(group));
        if (::lchown(path.c_str(), static_cast<uid_t>(-1), id) != 0) {
            return Error::from_errno(errno, fmt::format("give {} to group {}", path, group))
                .with_hint("make the agent's user a member of that group, or name another wal_group");
        }
    }
    if (::chmod(path.c_str(), 0660) != 0) return Error::from_errno(errno, "chmod " + path);
    if (::listen(socket.get(), kQueue) != 0) return Error::from_errno(errno, "listen on " + path);
    int pipe[2] = {-1, -1};
    if (::pipe2(pipe, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe");
    return std::unique_ptr<WalSocket>(
        new WalSocket(path, std::move(socket), Fd(pipe[0]), Fd(pipe[1]), std::move(serve)));
}

WalSocket::WalSocket(std::string path, Fd socket, Fd wake_read, Fd wake_write, Serve serve)
    : path_(std::move(path)),
      socket_(std::move(socket)),
      wake_read_(std::move(wake_read)),
      wake_write_(std::move(wake_write)),
      serve_(std::move(serve)) {
    for (std::size_t i = 0; i < kPushThreads; ++i) threads_.emplace_back([this] { accept_all(); });
    for (std::size_t i = 0; i < kFetchThreads; ++i) threads_.emplace_back([this] { fetch_all(); });
}

WalSocket::~WalSocket() {
    wake_write_.reset();
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    fetch_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    ::unlink(path_.c_str());
}

void WalSocket::accept_all() {
    while (true) {
        pollfd waiting[2] = {{socket_.get(), POLLIN, 0}, {wake_read_.get(), 0, 0}};
        if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
        if ((waiting[1].revents & POLLHUP) != 0) return;
        Fd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (connection.get() >= 0) hear(std::move(connection));
    }
}

void WalSocket::fetch_all() {
    std::unique_lock lock(mutex_);
    while (true) {
        fetch_.wait(lock, [this] { return ending_ || !fetches_.empty(); });
        if (fetches_.empty()) return;
        Waiting next = std::move(fetches_.front());
        fetches_.pop_front();
        lock.unlock();
        answer(next.connection, std::move(next.call));
        lock.lock();
    }
}

void WalSocket::hear(Fd connection) {
    // Mode and group decide who may connect; the kernel's word on who it was, whose spares are whose.
    ucred peer{};
    peer.uid = static_cast<uid_t>(-1);
    socklen_t size = sizeof(peer);
    ::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
    pollfd waiting[2] = {{connection.get(), POLLIN, 0}, {wake_read_.get(), 0, 0}};
    if (::poll(waiting, 2, kFirstMessageMs) <= 0 || (waiting[0].revents & POLLIN) == 0) return;
    auto call = receive(connection);
    if (!call) {
        log::warning("WAL request refused", {{"user", peer.uid}, {"error", call.error().message()}});
        return refuse(connection, call.error().message());
    }
    call->user = peer.uid;
    if (!call->request.fetch) return answer(connection, std::move(*call));
    {
        const std::lock_guard lock(mutex_);
        if (fetches_.size() < kFetchesMax) {
            fetches_.push_back({std::move(connection), std::move(*call)});
            fetch_.notify_one();
            return;
        }
    }
    refuse(connection, "too many ask for WAL at once");
}

void WalSocket::answer(const Fd& connection, SocketCall call) {
    call.gone = [&connection] {
        pollfd other{connection.get(), POLLRDHUP, 0};
        return ::poll(&other, 1, 0) > 0 && (other.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    };
    send(connection, serve_(std::move(call)));
}

}  // namespace backstay::archiver
