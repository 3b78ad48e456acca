#include <uv.h>

#include <cstdlib>

#include "common/event/loop.h"

namespace backstay {

// Like Timer::Node: lives until libuv has let go of the handle.
struct SignalWatch::Node {
    uv_signal_t handle{};
    std::function<void()> callback;
    bool ended = false;
};

SignalWatch::SignalWatch(Loop& loop, int signal_number, std::function<void()> callback) : node_(new Node) {
    node_->callback = std::move(callback);
    node_->handle.data = node_;
    const auto on_signal = [](uv_signal_t* handle, int) noexcept {
        auto* node = static_cast<Node*>(handle->data);
        if (!node->ended) node->callback();
    };
    if (uv_signal_init(loop.raw(), &node_->handle) != 0) std::abort();
    if (uv_signal_start(&node_->handle, on_signal, signal_number) != 0) std::abort();
}

SignalWatch::~SignalWatch() {
    node_->ended = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&node_->handle),
             [](uv_handle_t* handle) noexcept { delete static_cast<Node*>(handle->data); });
}

}  // namespace backstay
