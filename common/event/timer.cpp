#include <uv.h>

#include <cstdlib>

#include "common/event/loop.h"

namespace backstay {

// Outlives its Timer until libuv has let go of the handle; therefore a callback may destroy its own Timer.
struct Timer::Node {
    uv_timer_t handle{};
    std::function<void()> callback;
    bool ended = false;
};

Timer::Timer(Loop& loop, std::uint64_t first_ms, std::uint64_t repeat_ms, std::function<void()> callback)
    : node_(new Node) {
    node_->callback = std::move(callback);
    node_->handle.data = node_;
    uv_update_time(loop.raw());  // else a long callback before this would make the first interval short
    const auto on_timer = [](uv_timer_t* handle) noexcept {
        auto* node = static_cast<Node*>(handle->data);
        if (!node->ended) node->callback();
    };
    if (uv_timer_init(loop.raw(), &node_->handle) != 0) std::abort();
    if (uv_timer_start(&node_->handle, on_timer, first_ms, repeat_ms) != 0) std::abort();
}

Timer::~Timer() {
    node_->ended = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&node_->handle),
             [](uv_handle_t* handle) noexcept { delete static_cast<Node*>(handle->data); });
}

}  // namespace backstay
