#include "common/http/server_transport.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <uv.h>

#include <algorithm>

namespace backstay::http {

struct Transport::Node {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    uv_shutdown_t finish_request;
};

struct Transport::Write {
    uv_write_t request{};
    std::string bytes;
};

Transport::Transport(Events& events, std::span<char> read_buffer) : events_(events), read_buffer_(read_buffer) {}
Transport::~Transport() = default;

Result<> Transport::accept(uv_stream_s* listener) {
    node_ = std::make_unique<Node>();
    if (listener->type == UV_TCP) {
        uv_tcp_init(listener->loop, &node_->tcp);
    } else {
        uv_pipe_init(listener->loop, &node_->pipe, 0);
    }
    node_->handle.data = this;
    if (const int code = uv_accept(listener, &node_->stream); code != 0) {
        close();
        return Error::from_errno(-code, "accept a connection");
    }
    if (listener->type == UV_TCP) uv_tcp_nodelay(&node_->tcp, 1);
    resume_reading();
    return {};
}

std::string Transport::peer() const {
    if (node_->handle.type == UV_TCP) {
        sockaddr_storage address{};
        int size = sizeof(address);
        char name[INET6_ADDRSTRLEN] = "";
        auto* any = reinterpret_cast<sockaddr*>(&address);
        if (uv_tcp_getpeername(&node_->tcp, any, &size) != 0) return "unknown";
        if (address.ss_family == AF_INET6) {
            const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
            uv_ip6_name(v6, name, sizeof(name));
            return fmt::format("[{}]:{}", name, ntohs(v6->sin6_port));
        }
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
        uv_ip4_name(v4, name, sizeof(name));
        return fmt::format("{}:{}", name, ntohs(v4->sin_port));
    }
    uv_os_fd_t socket = -1;
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (uv_fileno(&node_->handle, &socket) != 0 ||
        ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return "unix:unknown";
    }
    return fmt::format("unix:uid={}", credentials.uid);
}

void Transport::write(std::string bytes) {
    if (closing_ || finished_ || bytes.empty()) return;
    queued_ += bytes.size();
    std::size_t taken = 0;
    if (unsent() == 0) {
        uv_buf_t all = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
        const int count = uv_try_write(&node_->stream, &all, 1);
        if (count > 0) taken = static_cast<std::size_t>(count);
        if (taken == bytes.size()) return;
    }
    // A failure shows again here and is told by the callback, never from inside write().
    auto* write = new Write{{}, std::move(bytes)};
    write->request.data = write;
    uv_buf_t rest = uv_buf_init(write->bytes.data() + taken, static_cast<unsigned>(write->bytes.size() - taken));
    const auto on_written = [](uv_write_t* request, int status) noexcept {
        auto* transport = static_cast<Transport*>(request->handle->data);
        delete static_cast<Write*>(request->data);
        if (transport->closing_) return;
        status == 0 ? transport->events_.on_sent() : transport->events_.on_broken();
    };
    if (uv_write(&write->request, &node_->stream, &rest, 1, on_written) != 0) {
        delete write;
        finished_ = true;  // the socket is unusable; the read side reports that
    }
}

std::size_t Transport::unsent() const { return node_ == nullptr ? 0 : uv_stream_get_write_queue_size(&node_->stream); }

std::uint64_t Transport::taken() const {
    const std::uint64_t sent = queued_ - unsent();
    uv_os_fd_t descriptor = -1;
    int on_the_way = 0;
    if (node_ == nullptr || uv_fileno(reinterpret_cast<const uv_handle_t*>(&node_->stream), &descriptor) != 0 ||
        ::ioctl(descriptor, SIOCOUTQ, &on_the_way) != 0) {
        return sent;
    }
    return sent - std::min(sent, static_cast<std::uint64_t>(on_the_way));
}

void Transport::finish() {
    if (closing_ || finished_) return;
    finished_ = true;
    uv_shutdown(&node_->finish_request, &node_->stream, [](uv_shutdown_t* request, int) noexcept {
        auto* transport = static_cast<Transport*>(request->handle->data);
        if (!transport->closing_) transport->events_.on_sent();
    });
}

void Transport::pause_reading() {
    if (closing_ || !reading_) return;
    reading_ = false;
    uv_read_stop(&node_->stream);
}

void Transport::resume_reading() {
    if (closing_ || reading_) return;
    reading_ = true;
    const auto on_allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) noexcept {
        const std::span<char> shared = static_cast<Transport*>(handle->data)->read_buffer_;
        *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
    };
    const auto on_read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept {
        auto* transport = static_cast<Transport*>(stream->data);
        if (transport->closing_) return;
        if (count > 0) transport->events_.on_bytes({buffer->base, static_cast<std::size_t>(count)});
        if (count == UV_EOF) transport->events_.on_end();
        if (count < 0 && count != UV_EOF) transport->events_.on_broken();
    };
    uv_read_start(&node_->stream, on_allocate, on_read);
}

void Transport::close() {
    if (closing_) return;
    closing_ = true;
    uv_close(&node_->handle,
             [](uv_handle_t* handle) noexcept { static_cast<Transport*>(handle->data)->events_.on_closed(); });
}

}  // namespace backstay::http
