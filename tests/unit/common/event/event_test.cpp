#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/event/loop.h"

namespace backstay {
namespace {

// A loop that gives up after five seconds.
struct LoopTest : ::testing::Test {
    void run() {
        Timer limit(*loop, 5000, 0, [this] {
            ADD_FAILURE() << "the loop did not end by itself";
            loop->stop();
        });
        loop->run();
    }
    std::unique_ptr<Loop> loop = std::move(Loop::create()).value();
};

TEST_F(LoopTest, RunsWhatOtherThreadsPostInTheirOrder) {
    constexpr int kThreads = 4;
    constexpr int kEach = 250;
    std::vector<std::vector<int>> seen(kThreads);
    int total = 0;
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < kEach; ++i) {
                loop->post([&, thread, i] {
                    seen[static_cast<std::size_t>(thread)].push_back(i);
                    if (++total == kThreads * kEach) loop->stop();
                });
            }
        });
    }
    run();
    for (const auto& one : seen) {
        ASSERT_EQ(one.size(), std::size_t{kEach});
        EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
    }
}

TEST_F(LoopTest, RunsATaskThatATaskPosts) {
    int depth = 0;
    std::function<void()> again = [&] { ++depth < 10 ? loop->post(again) : loop->stop(); };
    loop->post(again);
    run();
    EXPECT_EQ(depth, 10);
}

TEST_F(LoopTest, CanBeRunAgainAfterStop) {
    for (int round = 0; round < 2; ++round) {
        bool ran = false;
        loop->post([&] {
            ran = true;
            loop->stop();
        });
        run();
        EXPECT_TRUE(ran);
    }
}

TEST_F(LoopTest, DropsWhatWasPostedAfterItEnded) {
    bool ran = false;
    loop->post([&ran] { ran = true; });
    loop.reset();
    EXPECT_FALSE(ran);
}

TEST_F(LoopTest, TimersRepeatUntilDestroyed) {
    int ticks = 0;
    std::optional<Timer> timer;
    timer.emplace(*loop, 1, 1, [&] {
        if (++ticks < 3) return;
        timer.reset();  // inside its own callback
        loop->post([&] { loop->stop(); });
    });
    run();
    EXPECT_EQ(ticks, 3);
}

TEST_F(LoopTest, ATimerWaitsItsTimeEvenAfterABusyCallback) {
    std::optional<Timer> timer;
    std::int64_t started = 0;
    std::int64_t fired = 0;
    loop->post([&] {
        const std::int64_t busy_until = steady_ms() + 60;
        while (steady_ms() < busy_until) {
        }
        started = steady_ms();
        timer.emplace(*loop, 50, 0, [&] {
            fired = steady_ms();
            loop->stop();
        });
    });
    run();
    EXPECT_GE(fired - started, 48);
}

TEST_F(LoopTest, ATimerDestroyedBeforeItsTimeNeverFires) {
    bool fired = false;
    {
        const Timer timer(*loop, 0, 0, [&] { fired = true; });
    }
    const Timer end(*loop, 10, 0, [&] { loop->stop(); });
    run();
    EXPECT_FALSE(fired);
}

TEST_F(LoopTest, HearsSignals) {
    int heard = 0;
    std::optional<SignalWatch> watch;
    watch.emplace(*loop, SIGUSR1, [&] {
        ++heard;
        watch.reset();
        loop->stop();
    });
    loop->post([] { ::kill(::getpid(), SIGUSR1); });
    run();
    EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace backstay
