#include <gtest/gtest.h>

#include <future>

#include "agent/artifact/artifact_stream.h"
#include "agent/artifact/throttle.h"
#include "agent/artifact/zstd_source.h"
#include "common/clock.h"
#include "common/crypto/digest.h"
#include "tests/support/streams.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

struct Shipped {
    std::string stored;
    StoredBytes said;
};

// Writes a pattern through a stream while one reader takes all.
Shipped ship(std::uint64_t size, const StreamKey* key) {
    CompressionPool pool(2, {});
    FanOut fan_out(1, 1 << 20, 60'000, [&](Buffer room) { pool.give_room(std::move(room)); });
    auto reading = std::async(std::launch::async, [&] {
        FanOutSource source(fan_out, 0);
        return read_all(source, 1 << 30).value();
    });
    Shipped shipped;
    ArtifactStream stream(pool, 3, fan_out, key, {});
    testing::PatternSource pattern(size, 5);
    EXPECT_TRUE(copy(pattern, stream));
    EXPECT_TRUE(stream.finish());
    shipped.said = stream.stored();
    shipped.stored = reading.get();
    return shipped;
}

void expect_pattern(const std::string& frames, std::uint64_t size) {
    StringSource source(frames);
    ZstdSource plain(source);
    testing::PatternSink sink(5);
    ASSERT_TRUE(copy(plain, sink));
    EXPECT_EQ(sink.position(), size);
    EXPECT_EQ(sink.wrong(), 0U);
}

TEST(ArtifactStream, WhatIsStoredUnpacksToWhatWasWrittenAndHasTheDigestSaid) {
    for (const std::uint64_t size : {0ULL, 1ULL, 4ULL << 20, (4ULL << 20) + 1, 33ULL << 20}) {
        const Shipped shipped = ship(size, nullptr);
        EXPECT_EQ(shipped.said.bytes, shipped.stored.size());
        EXPECT_EQ(shipped.said.plain_bytes, size);
        EXPECT_EQ(shipped.said.sha256, digest_hex(DigestKind::sha256, as_bytes(shipped.stored)));
        expect_pattern(shipped.stored, size);
    }
}

TEST(ArtifactStream, WithAKeyTheStoredBytesAreSealed) {
    const StreamKey key = StreamKey::parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").value();
    const Shipped shipped = ship(21ULL << 20, &key);
    EXPECT_EQ(shipped.said.sha256, digest_hex(DigestKind::sha256, as_bytes(shipped.stored)));
    EXPECT_EQ(encrypted_key_id(as_bytes(shipped.stored)), key.id());
    StringSink opened(1 << 30);
    DecryptingSink opener(key, opened);
    ASSERT_TRUE(opener.write(as_bytes(shipped.stored)));
    ASSERT_TRUE(opener.finish());
    expect_pattern(opened.text(), 21ULL << 20);
}

TEST(ArtifactStream, OneThatIsNotFinishedEndsInAnErrorForItsReaders) {
    CompressionPool pool(1, {});
    FanOut fan_out(1, 1 << 20, 60'000);
    auto reading = std::async(std::launch::async, [&] {
        FanOutSource source(fan_out, 0);
        return read_all(source, 1 << 30).has_value();
    });
    {
        ArtifactStream stream(pool, 3, fan_out, nullptr, {});
        testing::PatternSource pattern(9 << 20, 1);
        ASSERT_TRUE(copy(pattern, stream));
    }
    EXPECT_FALSE(reading.get());
}

TEST(ArtifactStream, WhenNobodyTakesItWritingFails) {
    CompressionPool pool(1, {});
    FanOut fan_out(1, 1 << 20, 60'000);
    fan_out.leave(0);
    ArtifactStream stream(pool, 3, fan_out, nullptr, {});
    testing::PatternSource pattern(200 << 20, 1);
    EXPECT_FALSE(copy(pattern, stream));
    EXPECT_FALSE(stream.finish());
}

TEST(LevelChoice, TheFastLevelServesOnlyWhileItIsHardlyLarger) {
    LevelChoice choice(3);
    EXPECT_TRUE(choice.try_both());
    EXPECT_EQ(choice.level(), 3);
    choice.tried(100, 110);
    EXPECT_EQ(choice.level(), 1);
    choice.tried(200, 150);
    EXPECT_EQ(choice.level(), 3);
    LevelChoice images(3);
    images.tried(1000, 995);
    EXPECT_EQ(images.level(), 1);
    LevelChoice texts(3);
    texts.tried(1000, 980);
    EXPECT_EQ(texts.level(), 3);
    for (int i = 0; i < 16; ++i) choice.used();
    EXPECT_TRUE(choice.try_both());
    choice.used();
    EXPECT_FALSE(choice.try_both());
    EXPECT_FALSE(LevelChoice(1).try_both());
    EXPECT_FALSE(LevelChoice(12).try_both());
}

TEST(Throttle, HoldsARateAndEndsWithTheStop) {
    std::atomic<std::uint64_t> rate = 1'000'000;
    std::stop_source stop;
    Throttle throttle(rate, stop.get_token());
    const std::int64_t begun = steady_ms();
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(throttle.take(100'000));
    EXPECT_GE(steady_ms() - begun, 200);
    rate = 0;
    EXPECT_TRUE(throttle.take(1ULL << 40));
    rate = 1;
    Throttle slow(rate, stop.get_token());
    ASSERT_TRUE(slow.take(1'000'000));
    auto waiting = std::async(std::launch::async, [&] { return slow.take(1).has_value(); });
    stop.request_stop();
    EXPECT_FALSE(waiting.get());
}

}  // namespace
}  // namespace backstay
