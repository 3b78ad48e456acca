#include "common/http/server_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "common/log.h"
#include "common/process/account.h"

namespace backstay::http {

namespace {

constexpr int kBacklog = 511;

Error uv_error(int code, const std::string& what) { return Error::from_errno(-code, what); }

bool somebody_answers(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return true;  // when in doubt it stays
    const bool answered = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    const bool refused = !answered && errno == ECONNREFUSED;
    ::close(probe);
    return !refused;
}

Result<> remove_stale_socket(const std::string& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) {
        if (errno == ENOENT) return {};
        return Error::from_errno(errno, "look at " + path);
    }
    if (!S_ISSOCK(found.st_mode)) return Error(Errc::conflict, path + " is there and is no socket");
    if (somebody_answers(path)) return Error(Errc::conflict, "another process answers on " + path);
    if (::unlink(path.c_str()) != 0) return Error::from_errno(errno, "remove the stale socket " + path);
    return {};
}

Result<> give_to_group(const std::string& path, const std::string& group) {
    const auto id = group_named(group);
    if (!id) return Error(Errc::not_found, "there is no group '" + group + "' for " + path);
    if (::chown(path.c_str(), static_cast<uid_t>(-1), *id) != 0) {
        return Error::from_errno(errno, "give " + path + " to group " + group);
    }
    return {};
}

}  // namespace

// Outlives its Listener until libuv has let go of the handle.
struct Listener::Node {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    OnWaiting on_waiting;

    explicit Node(OnWaiting callback) : handle(), on_waiting(std::move(callback)) { handle.data = this; }
};

Result<std::unique_ptr<Listener>> Listener::tcp(Loop& loop, const std::string& address, std::uint16_t port,
                                                OnWaiting on_waiting) {
    const std::string what = "listen on " + address + " port " + std::to_string(port);
    sockaddr_storage where{};
    const bool known = uv_ip4_addr(address.c_str(), port, reinterpret_cast<sockaddr_in*>(&where)) == 0 ||
                       uv_ip6_addr(address.c_str(), port, reinterpret_cast<sockaddr_in6*>(&where)) == 0;
    if (!known) return Error(Errc::invalid, what + ": not a numeric address");
    auto node = std::make_unique<Node>(std::move(on_waiting));
    if (const int code = uv_tcp_init(loop.raw(), &node->tcp); code != 0) return uv_error(code, what);
    node->handle.data = node.get();
    std::unique_ptr<Listener> listener(new Listener(node.release()));
    const int code = uv_tcp_bind(&listener->node_->tcp, reinterpret_cast<const sockaddr*>(&where), 0);
    if (code != 0) return uv_error(code, what);
    TRY(listener->listen().context(what));
    return listener;
}

Result<std::unique_ptr<Listener>> Listener::unix_socket(Loop& loop, const std::string& path, unsigned mode,
                                                        const std::string& group, OnWaiting on_waiting) {
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
        return Error(Errc::invalid, "the socket path '" + path + "' is empty or longer than 107 bytes");
    }
    TRY(remove_stale_socket(path));
    auto node = std::make_unique<Node>(std::move(on_waiting));
    if (const int code = uv_pipe_init(loop.raw(), &node->pipe, 0); code != 0)
        return uv_error(code, "listen on " + path);
    node->handle.data = node.get();
    std::unique_ptr<Listener> listener(new Listener(node.release()));
    if (const int code = uv_pipe_bind(&listener->node_->pipe, path.c_str()); code != 0) {
        return uv_error(code, "listen on " + path);
    }
    // Until listen() nobody can connect: the mode holds from the first moment.
    if (!group.empty()) TRY(give_to_group(path, group));
    if (::chmod(path.c_str(), mode) != 0) return Error::from_errno(errno, "set the mode of " + path);
    TRY(listener->listen().context("listen on " + path));
    return listener;
}

Result<> Listener::listen() {
    const auto on_connection = [](uv_stream_t* stream, int status) noexcept {
        auto* node = static_cast<Node*>(stream->data);
        if (status == 0) return node->on_waiting(stream);
        log::warning("connection not accepted", {{"error", uv_strerror(status)}});
    };
    if (const int code = uv_listen(&node_->stream, kBacklog, on_connection); code != 0) {
        return uv_error(code, "open the socket");
    }
    return {};
}

Result<std::uint16_t> Listener::port() const {
    sockaddr_storage where{};
    int size = sizeof(where);
    const int code = uv_tcp_getsockname(&node_->tcp, reinterpret_cast<sockaddr*>(&where), &size);
    if (code != 0) return uv_error(code, "ask for the port");
    // Both families keep the port in the same place.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&where)->sin_port);
}

Listener::~Listener() {
    uv_close(&node_->handle, [](uv_handle_t* handle) noexcept { delete static_cast<Node*>(handle->data); });
}

}  // namespace backstay::http
