#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/crypto/digest.h"
#include "storage/s3/part_buffer.h"
#include "storage/s3/part_size.h"
#include "tests/support/streams.h"
#include "tests/support/temp_dir.h"

namespace backstay::s3 {
namespace {

using ::testing::HasSubstr;
using testing::PatternSink;
using testing::PatternSource;
using testing::TempDir;

constexpr std::uint64_t kTerabyte = 1'000'000'000'000;

std::uint64_t capacity(std::uint64_t expected) {
    std::uint64_t total = 0;
    for (int number = 1; number <= kMostParts; ++number) total += part_size(number, expected);
    return total;
}

TEST(PartSize, LetsTenTerabytesPassWithoutAnEstimate) { EXPECT_GE(capacity(0), 10 * kTerabyte); }

TEST(PartSize, StaysEqualWhenTheEstimateIsRight) {
    for (const std::uint64_t expected : {std::uint64_t{1}, std::uint64_t{5'000'000'000}, kTerabyte, 30 * kTerabyte}) {
        const std::uint64_t size = part_size(1, expected);
        std::uint64_t total = 0;
        int number = 0;
        while (total < expected) {
            ASSERT_EQ(part_size(++number, expected), size);
            total += size;
        }
        EXPECT_LE(number, kMostParts);
    }
}

// Cloudflare R2 wants all parts but the last of one size: as long as that is possible, they are.
TEST(PartSize, StaysEqualForSixtyGigabytesWithoutAnEstimateAndAFifthBeyondOne) {
    for (const std::uint64_t expected : {std::uint64_t{0}, 2 * kTerabyte}) {
        const std::uint64_t enough = expected == 0 ? 60'000'000'000 : expected + expected / 5;
        std::uint64_t total = 0;
        for (int number = 1; total < enough; ++number) {
            ASSERT_EQ(part_size(number, expected), part_size(1, expected)) << "after " << total << " bytes";
            total += part_size(number, expected);
        }
    }
}

TEST(PartSize, GrowsWhenTheEstimateWasTooLow) {
    EXPECT_GE(capacity(1), 10 * kTerabyte);
    EXPECT_GE(capacity(kTerabyte), 10 * kTerabyte);
}

TEST(PartSize, KeepsTheBoundsOfS3AndBeginsSmall) {
    for (const std::uint64_t expected : {std::uint64_t{0}, std::uint64_t{1}, kTerabyte, ~std::uint64_t{0}}) {
        std::uint64_t before = 0;
        for (int number = 1; number <= kMostParts; ++number) {
            const std::uint64_t size = part_size(number, expected);
            ASSERT_GE(size, 5ULL << 20);
            ASSERT_LE(size, kLargestPartBytes);
            ASSERT_GE(size, before);
            before = size;
        }
    }
    EXPECT_EQ(part_size(1, 0), 8ULL << 20);
    EXPECT_EQ(part_size(1, 100 << 20), 8ULL << 20);
    EXPECT_EQ(part_size(1, 64ULL << 30), 11ULL << 20);
}

void expect_part(const PartBuffer& part, std::uint64_t first, std::uint64_t size) {
    ASSERT_EQ(part.size(), size);
    for (int round = 0; round < 2; ++round) {
        PatternSink sink(9, first);
        DigestSink digest(DigestKind::sha256);
        const auto reader = part.reader();
        ASSERT_TRUE(copy(*reader, sink));
        EXPECT_EQ(sink.position(), first + size);
        EXPECT_EQ(sink.wrong(), 0U);
        const auto again = part.reader();
        ASSERT_TRUE(copy(*again, digest));
        EXPECT_EQ(digest.hex(), part.sha256());
    }
}

TEST(PartBuffer, CutsAStreamAndNoticesItsEnd) {
    PartBuffer part("/nonexistent");
    PatternSource source((8 << 20) + 1000, 9);
    ASSERT_TRUE(part.fill(source, 8 << 20));
    EXPECT_FALSE(part.source_ended());
    EXPECT_TRUE(part.in_memory());
    EXPECT_EQ(digest_hex(DigestKind::sha256, part.bytes()), part.sha256());
    expect_part(part, 0, 8 << 20);
    ASSERT_TRUE(part.fill(source, 8 << 20));
    EXPECT_TRUE(part.source_ended());
    expect_part(part, 8 << 20, 1000);
    ASSERT_TRUE(part.fill(source, 8 << 20));
    EXPECT_EQ(part.size(), 0U);
}

TEST(PartBuffer, PutsWhatMemoryMayNotHoldIntoAFileWithoutAName) {
    TempDir folder;
    PartBuffer part(folder.path() + "/made");
    PatternSource source(50 << 20, 9);
    ASSERT_TRUE(part.fill(source, 20 << 20));
    EXPECT_FALSE(part.in_memory());
    expect_part(part, 0, 20 << 20);
    ASSERT_TRUE(part.fill(source, 9 << 20));
    expect_part(part, 20 << 20, 9 << 20);
    ASSERT_TRUE(part.fill(source, 40 << 20));
    EXPECT_TRUE(part.source_ended());
    expect_part(part, 29 << 20, 21 << 20);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path() + "/made"));
}

TEST(PartBuffer, NamesAScratchFolderThatCannotBeUsed) {
    PartBuffer part("/nonexistent/folder");
    PatternSource source(50 << 20, 9);
    const auto filled = part.fill(source, 20 << 20);
    ASSERT_FALSE(filled);
    EXPECT_THAT(filled.error().message(), HasSubstr("scratch folder '/nonexistent/folder': make it"));
}

TEST(PartBuffer, PassesOnWhyTheSourceFailed) {
    PartBuffer part("/nonexistent");
    testing::FailingSource source(1000);
    const auto filled = part.fill(source, 8 << 20);
    ASSERT_FALSE(filled);
    EXPECT_THAT(filled.error().message(), HasSubstr("the producer died"));
}

}  // namespace
}  // namespace backstay::s3
