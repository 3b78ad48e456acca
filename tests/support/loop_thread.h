// An event loop on a thread of its own, for tests of what lives on one. The test talks to it from outside.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "common/event/loop.h"

namespace backstay::testing {

class LoopThread {
public:
    LoopThread() : loop_(std::move(Loop::create()).value()), thread_([this] { loop_->run(); }) {}
    // What lives on the loop must be gone by now: destroy it by run().
    ~LoopThread() {
        loop_->post([this] { loop_->stop(); });
        thread_.join();
    }
    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    // Only for what runs on the loop's thread, and for post().
    Loop& loop() { return *loop_; }

    // Runs it on the loop's thread and waits for it.
    void run(const std::function<void()>& task) {
        std::promise<void> done;
        loop_->post([&] {
            task();
            done.set_value();
        });
        done.get_future().wait();
    }

private:
    std::unique_ptr<Loop> loop_;
    std::thread thread_;
};

}  // namespace backstay::testing
