#include "agent/artifact/fan_out.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <thread>

#include "common/clock.h"

namespace backstay {
namespace {

Buffer chunk_of(std::string_view text) {
    Buffer chunk(text.size());
    chunk.append(as_bytes(text));
    return chunk;
}

std::string read_to_end(FanOut& from, std::size_t number) {
    FanOutSource source(from, number);
    return read_all(source, 1 << 20).value();
}

TEST(FanOut, EveryReaderGetsEveryByteAtItsOwnPace) {
    FanOut fan_out(2, 8, 60'000);
    auto first = std::async(std::launch::async, [&] { return read_to_end(fan_out, 0); });
    auto second = std::async(std::launch::async, [&] { return read_to_end(fan_out, 1); });
    std::string all;
    for (int i = 0; i < 500; ++i) {
        const std::string text = "piece " + std::to_string(i);
        ASSERT_TRUE(fan_out.push(chunk_of(text)));
        all += text;
    }
    fan_out.close(std::nullopt);
    EXPECT_EQ(first.get(), all);
    EXPECT_EQ(second.get(), all);
}

TEST(FanOut, AReaderThatLeavesHoldsNobodyUp) {
    FanOut fan_out(2, 4, 60'000);
    fan_out.leave(1);
    auto first = std::async(std::launch::async, [&] { return read_to_end(fan_out, 0); });
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(fan_out.push(chunk_of("12345678")));
    fan_out.close(std::nullopt);
    EXPECT_EQ(first.get().size(), 160U);
}

// The chunk is copied without the lock: it may not be given back, and written to anew, before the copy is done.
TEST(FanOut, AReaderThatLeavesInTheMiddleOfAReadKeepsItsChunkUntilThen) {
    constexpr std::size_t kSize = 192 << 20;
    std::vector<std::byte> target(kSize, std::byte{7});  // touched, so that the copying is all that takes time
    // Given back, it is written to at once, beginning where the copying comes to last.
    FanOut fan_out(1, kSize, 60'000, [](Buffer chunk) { std::memset(chunk.data() + kSize / 4 * 3, 0xFF, kSize / 4); });
    Buffer chunk(kSize);
    chunk.resize(kSize);
    std::memset(chunk.data(), 1, kSize);
    ASSERT_TRUE(fan_out.push(std::move(chunk)));
    std::atomic<bool> begun = false;
    auto reading = std::async(std::launch::async, [&] {
        begun = true;
        return fan_out.read(0, target).has_value();
    });
    while (!begun) std::this_thread::yield();
    // Into the middle of the copying, which takes several times as long; to miss it proves nothing, and breaks nothing.
    for (const std::int64_t until = steady_ms() + 5; steady_ms() < until;) std::this_thread::yield();
    fan_out.leave(0);
    static_cast<void>(reading.get());
    EXPECT_EQ(std::count(target.begin(), target.end(), std::byte{0xFF}), 0);
}

TEST(FanOut, WithoutReadersAPushIsRefused) {
    FanOut fan_out(1, 4, 60'000);
    EXPECT_FALSE(fan_out.deserted());
    fan_out.leave(0);
    EXPECT_TRUE(fan_out.deserted());
    const auto pushed = fan_out.push(chunk_of("x"));
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().code(), Errc::unavailable);
}

TEST(FanOut, ABlockedPushReturnsWhenTheLastReaderLeaves) {
    FanOut fan_out(1, 1, 60'000);
    ASSERT_TRUE(fan_out.push(chunk_of("full")));
    auto pushing = std::async(std::launch::async, [&] { return fan_out.push(chunk_of("more")).has_value(); });
    fan_out.leave(0);
    EXPECT_FALSE(pushing.get());
}

TEST(FanOut, AReaderThatStandsStillIsDroppedWhileTheOthersGoOn) {
    FanOut fan_out(2, 4, 1);
    auto first = std::async(std::launch::async, [&] { return read_to_end(fan_out, 0); });
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(fan_out.push(chunk_of("12345678")));
    fan_out.close(std::nullopt);
    EXPECT_EQ(first.get().size(), 24U);
    std::array<std::byte, 4> buffer{};
    const auto read = fan_out.read(1, buffer);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), Errc::timed_out);
}

TEST(FanOut, AnErrorOfTheWriterIsNeverAnEnd) {
    FanOut fan_out(1, 100, 60'000);
    ASSERT_TRUE(fan_out.push(chunk_of("begun")));
    fan_out.close(Error(Errc::io, "the dump died"));
    FanOutSource source(fan_out, 0);
    const auto read = read_all(source, 100);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message(), "the dump died");
}

TEST(FanOut, ChunksComeBackToBeUsedAgain) {
    std::size_t back = 0;
    FanOut fan_out(1, 100, 60'000, [&](Buffer) { ++back; });
    ASSERT_TRUE(fan_out.push(chunk_of("one")));
    ASSERT_TRUE(fan_out.push(chunk_of("two")));
    fan_out.close(std::nullopt);
    EXPECT_EQ(read_to_end(fan_out, 0), "onetwo");
    EXPECT_EQ(back, 2U);
}

}  // namespace
}  // namespace backstay
