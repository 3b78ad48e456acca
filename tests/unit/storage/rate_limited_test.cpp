#include "storage/rate_limited.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/memory_storage.h"
#include "tests/support/streams.h"

namespace backstay {

using testing::MemoryStorage;
using testing::PatternSink;
using testing::PatternSource;

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

std::int64_t time_of_put(Storage& storage, const std::string& key, std::uint64_t bytes) {
    const std::int64_t began = steady_ms();
    PatternSource source(bytes, 1);
    EXPECT_TRUE(storage.put(key, source, {}));
    return steady_ms() - began;
}

}  // namespace

TEST(RateLimit, HoldsUploadsAndDownloadsDown) {
    const auto storage = limit_rate(std::make_unique<MemoryStorage>(), [] { return 4 * kMebibyte; }, {});
    // 2 MiB at 4 MiB a second, of which a quarter second may be saved up.
    const std::int64_t up = time_of_put(*storage, "key", 2 * kMebibyte);
    EXPECT_GE(up, 200);
    EXPECT_LT(up, 5000);
    const std::int64_t began = steady_ms();
    PatternSink sink(1);
    ASSERT_TRUE(storage->get("key", {}, sink));
    EXPECT_EQ(sink.position(), 2 * kMebibyte);
    ASSERT_TRUE(storage->get("key", {}, sink));
    EXPECT_GE(steady_ms() - began, 400);
}

TEST(RateLimit, TakesAChangedSpeedWhileItRuns) {
    std::atomic<std::uint64_t> rate = 64 * 1024;
    const auto storage = limit_rate(std::make_unique<MemoryStorage>(), [&rate] { return rate.load(); }, {});
    // At the first speed this would take minutes.
    std::jthread changer([&rate] {
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
        rate = 0;
    });
    EXPECT_LT(time_of_put(*storage, "key", 16 * kMebibyte), 20'000);
}

TEST(RateLimit, IsNoLimitAtZero) {
    const auto storage = limit_rate(std::make_unique<MemoryStorage>(), [] { return std::uint64_t{0}; }, {});
    EXPECT_LT(time_of_put(*storage, "key", 16 * kMebibyte), 5000);
    EXPECT_EQ(storage->kind(), "local");
    EXPECT_TRUE(storage->stat("key"));
    EXPECT_TRUE(storage->list({}));
    EXPECT_TRUE(storage->sweep_leftovers(0));
    EXPECT_TRUE(storage->free_bytes());
    EXPECT_TRUE(storage->presign_get("key", 1, ""));
    EXPECT_TRUE(storage->remove("key"));
}

TEST(RateLimit, EndsItsWaitWhenItIsToStop) {
    std::stop_source stop;
    const auto storage = limit_rate(
        std::make_unique<MemoryStorage>(), [] { return std::uint64_t{1}; }, stop.get_token());
    std::jthread stopper([&stop] { stop.request_stop(); });
    PatternSource source(kMebibyte, 1);
    const auto stored = storage->put("key", source, {});
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code(), Errc::cancelled);
}

}  // namespace backstay
