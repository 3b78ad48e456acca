#include "storage/retrying.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "storage/backoff.h"
#include "tests/support/flaky_storage.h"
#include "tests/support/memory_storage.h"

namespace backstay {

using testing::FlakyStorage;
using ::testing::HasSubstr;
using testing::MemoryStorage;

namespace {

const RetryPolicy kQuick = {4, 1, 4};

struct Flaky {
    explicit Flaky(int failures, Errc code = Errc::unavailable, std::stop_token stop = {}) {
        auto inner = std::make_unique<FlakyStorage>(std::make_unique<MemoryStorage>(), failures, code);
        flaky = inner.get();
        storage = retry_calls(std::move(inner), kQuick, std::move(stop));
    }
    FlakyStorage* flaky;
    std::unique_ptr<Storage> storage;
};

// Takes a few bytes and then fails for a passing reason, as a broken pipe to another store does.
class BreakingSink final : public Sink {
public:
    Result<> write(ByteSpan) override {
        ++writes;
        return Error(Errc::unavailable, "the sink broke");
    }
    int writes = 0;
};

}  // namespace

TEST(Retry, RepeatsEveryCallThatMayBeMadeTwice) {
    Flaky f(3);
    StringSource source("content");
    ASSERT_TRUE(f.storage->put("key", source, {}));
    EXPECT_EQ(f.storage->stat("key").value_or({}).size_bytes, 7U);
    EXPECT_EQ(f.storage->list({}).value_or({}).objects.size(), 1U);
    StringSink sink(100);
    EXPECT_TRUE(f.storage->get("key", {}, sink));
    EXPECT_EQ(sink.text(), "content");
    EXPECT_TRUE(f.storage->sweep_leftovers(0));
    EXPECT_TRUE(f.storage->free_bytes());
    EXPECT_TRUE(f.storage->presign_get("key", 60, ""));
    EXPECT_TRUE(f.storage->remove("key"));
    EXPECT_EQ(f.storage->kind(), "local");
    EXPECT_EQ(f.flaky->calls(), 6 * 4);
}

TEST(Retry, GivesUpAndSaysHowOftenItTried) {
    Flaky f(100);
    const auto about = f.storage->stat("key");
    ASSERT_FALSE(about);
    EXPECT_EQ(about.error().code(), Errc::unavailable);
    EXPECT_THAT(about.error().message(), HasSubstr("4 attempts failed, the last: stumbled"));
    EXPECT_EQ(f.flaky->calls(), 4);
}

TEST(Retry, RepeatsOnlyWhatMayPass) {
    Flaky timed_out(1, Errc::timed_out);
    EXPECT_EQ(timed_out.storage->stat("key").error().code(), Errc::not_found);
    for (const Errc code : {Errc::denied, Errc::invalid, Errc::corrupted, Errc::exhausted, Errc::io}) {
        Flaky f(100, code);
        EXPECT_EQ(f.storage->stat("key").error().code(), code);
        EXPECT_EQ(f.flaky->calls(), 1);
    }
}

TEST(Retry, NeverDeliversTheBeginningOfAReadTwice) {
    Flaky f(0);
    StringSource source("content");
    ASSERT_TRUE(f.storage->put("key", source, {}));
    BreakingSink sink;
    EXPECT_FALSE(f.storage->get("key", {}, sink));
    EXPECT_EQ(sink.writes, 1);
}

TEST(Retry, EndsItsWaitWhenItIsToStop) {
    std::stop_source stop;
    auto inner = std::make_unique<FlakyStorage>(std::make_unique<MemoryStorage>(), 100);
    const auto storage = retry_calls(std::move(inner), RetryPolicy{4, 60'000, 60'000}, stop.get_token());
    std::jthread stopper([&stop] { stop.request_stop(); });
    const std::int64_t began = steady_ms();
    EXPECT_EQ(storage->stat("key").error().code(), Errc::cancelled);
    EXPECT_LT(steady_ms() - began, 20'000);
}

TEST(Backoff, DoublesJittersAndIsBounded) {
    for (int round = 0; round < 50; ++round) {
        EXPECT_GE(backoff_ms(1, 100, 1000), 50U);
        EXPECT_LE(backoff_ms(1, 100, 1000), 100U);
        EXPECT_GE(backoff_ms(3, 100, 1000), 200U);
        EXPECT_LE(backoff_ms(3, 100, 1000), 400U);
        EXPECT_LE(backoff_ms(1000, 100, 1000), 1000U);
        EXPECT_EQ(backoff_ms(5, 0, 1000), 0U);
    }
}

}  // namespace backstay
