#include "common/event/loop.h"

#include <signal.h>
#include <uv.h>

#include <cstdlib>
#include <mutex>
#include <vector>

namespace backstay {

struct Loop::Impl {
    uv_loop_t loop{};
    uv_async_t wake{};
    std::mutex mutex;
    std::vector<std::function<void()>> tasks;  // guarded by mutex
    bool ended = false;                        // guarded by mutex: wake must not be touched any more

    // Tasks posted by a task wait for the next round, so that a task which posts itself cannot starve the loop.
    void run_tasks() noexcept {
        std::vector<std::function<void()>> due;
        {
            const std::lock_guard lock(mutex);
            due.swap(tasks);
        }
        for (auto& task : due) {
            task();
            task = nullptr;  // what a task holds goes with it, not after the whole batch
        }
    }
};

Loop::Loop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Loop>> Loop::create() {
    // libuv writes to sockets without MSG_NOSIGNAL: a peer that has gone must be an error, not the end of the process.
    ::signal(SIGPIPE, SIG_IGN);
    auto impl = std::make_unique<Impl>();
    if (const int code = uv_loop_init(&impl->loop); code != 0) return Error::from_errno(-code, "start the event loop");
    const auto on_wake = [](uv_async_t* wake) noexcept { static_cast<Impl*>(wake->data)->run_tasks(); };
    impl->wake.data = impl.get();
    if (const int code = uv_async_init(&impl->loop, &impl->wake, on_wake); code != 0) {
        uv_loop_close(&impl->loop);
        return Error::from_errno(-code, "start the event loop");
    }
    return std::unique_ptr<Loop>(new Loop(std::move(impl)));
}

Loop::~Loop() {
    std::vector<std::function<void()>> dropped;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->ended = true;
        dropped.swap(impl_->tasks);
    }
    dropped.clear();  // may destroy timers and other handles
    uv_close(reinterpret_cast<uv_handle_t*>(&impl_->wake), nullptr);
    // Closing handles need a turn of the loop for their callbacks, which may close further ones. A handle that somebody
    // still holds would make uv_run wait for ever, therefore NOWAIT and a bound.
    for (int turn = 0; turn < 16 && uv_loop_alive(&impl_->loop) != 0; ++turn) uv_run(&impl_->loop, UV_RUN_NOWAIT);
    if (uv_loop_close(&impl_->loop) != 0) {
        uv_print_all_handles(&impl_->loop, stderr);
        std::abort();
    }
}

void Loop::run() { uv_run(&impl_->loop, UV_RUN_DEFAULT); }

void Loop::stop() { uv_stop(&impl_->loop); }

void Loop::post(std::function<void()> task) {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->ended) return;
    impl_->tasks.push_back(std::move(task));
    uv_async_send(&impl_->wake);  // inside the lock: the handle may not be closed meanwhile
}

uv_loop_s* Loop::raw() { return &impl_->loop; }

}  // namespace backstay
