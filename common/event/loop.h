// The event loop: libuv behind our words. One per daemon, run by its main thread; it never blocks.
// Owned by the daemon; everything that lives on it must be destroyed before it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/result.h"

struct uv_loop_s;

namespace backstay {

class Loop {
public:
    // From then on the process ignores SIGPIPE.
    static Result<std::unique_ptr<Loop>> create();
    // Every handle must be gone by now: asserts that the loop closes with nothing left.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Runs until stop(). Call once, from the thread that owns the loop.
    void run();
    // Makes run() return after the present callback. Loop thread only; from elsewhere: post([&] { loop.stop(); }).
    void stop();
    // Runs `task` on the loop thread soon. The only member that any thread may call. Tasks posted after the loop ended
    // are dropped.
    void post(std::function<void()> task);

    uv_loop_s* raw();

private:
    struct Impl;
    explicit Loop(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Calls back on the loop thread after `first_ms`, then every `repeat_ms` (0: once). Loop thread only. Destroying it,
// even inside its own callback, ends it.
class Timer {
public:
    Timer(Loop& loop, std::uint64_t first_ms, std::uint64_t repeat_ms, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

private:
    struct Node;
    Node* node_;
};

// Calls back on the loop thread when the process gets `signal_number`.
class SignalWatch {
public:
    SignalWatch(Loop& loop, int signal_number, std::function<void()> callback);
    ~SignalWatch();
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

private:
    struct Node;
    Node* node_;
};

}  // namespace backstay
