#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "agent/wal/page_header.h"
#include "agent/wal/record_reader.h"
#include "tests/support/made_wal.h"

namespace backstay::wal {
namespace {

using backstay::testing::MadeWal;
using ::testing::HasSubstr;

constexpr TimeMs kNoon = 1'767'355'200'000;

Commits read(const std::string& segment, std::size_t step = 1 << 20) {
    RecordReader reader;
    for (std::size_t at = 0; at < segment.size(); at += step) {
        reader.feed(as_bytes(std::string_view(segment).substr(at, step)));
    }
    return reader.commits();
}

WalName name_of(const MadeWal& made) { return parse_wal_name(made.name()).value(); }

TEST(RecordReader, FindsFirstAndLastCommitAcrossPages) {
    MadeWal made;
    for (int i = 0; i < 500; ++i) {
        made.other(static_cast<std::size_t>(10 + i * 7 % 3000));
        made.commit(kNoon + i * 10);
    }
    const Commits commits = read(made.segment());
    EXPECT_EQ(commits.count, 500U);
    EXPECT_EQ(commits.records, 1000U);
    EXPECT_EQ(commits.first, kNoon);
    EXPECT_EQ(commits.last, kNoon + 4990);
}

TEST(RecordReader, TellsWhereTheLastCommitEnds) {
    MadeWal made;
    EXPECT_FALSE(read(made.segment()).end);
    made.other(9000);
    made.commit(kNoon);
    const std::string alone = made.segment();
    made.other(500);
    const auto end = read(made.segment()).end;
    ASSERT_TRUE(end);
    EXPECT_EQ(end, read(alone).end);
    // Nothing but zeros and padding behind it, and something before it.
    EXPECT_EQ(alone.find_first_not_of('\0', *end), std::string::npos);
    EXPECT_NE(alone[*end - 1], '\0');
    made.commit(kNoon + 1);
    EXPECT_GT(read(made.segment()).end, end);
}

TEST(RecordReader, GivesTheSameHoweverThePagesCome) {
    MadeWal made;
    for (int i = 0; i < 60; ++i) {
        made.other(8000 + static_cast<std::size_t>(i));
        made.commit(kNoon + i);
    }
    EXPECT_EQ(read(made.segment(), kPageBytes).count, 60U);
    EXPECT_EQ(read(made.segment(), 3 * kPageBytes).count, 60U);
}

// A record header may lie on two pages; every offset is tried.
TEST(RecordReader, ReadsHeadersThatLieOnTwoPages) {
    for (std::size_t filler = 7900; filler < 8300; filler += 8) {
        MadeWal made;
        made.other(filler);
        made.commit(kNoon);
        made.other(100);
        made.commit(kNoon + 1);
        const Commits commits = read(made.segment());
        EXPECT_EQ(commits.count, 2U) << filler;
        EXPECT_EQ(commits.records, 4U) << filler;
    }
}

TEST(RecordReader, TakesEarliestAndLatestWhateverTheirOrder) {
    MadeWal made;
    made.commit(kNoon + 5);
    made.commit(kNoon - 5);
    made.commit(kNoon);
    const Commits commits = read(made.segment());
    EXPECT_EQ(commits.first, kNoon - 5);
    EXPECT_EQ(commits.last, kNoon + 5);
}

TEST(RecordReader, KnowsCommitsOfPreparedAndReplicatedTransactions) {
    MadeWal made;
    const std::int64_t time = (kNoon - 946'684'800'000LL) * 1000;
    made.record(1, 0x30, 40, time);                                                      // COMMIT PREPARED
    made.record(1, 0x80, 24, time + 1'000'000, std::string("\xFD\x01\x00", 3));          // has info, behind an origin
    made.record(1, 0x00, 24, time + 2'000'000, std::string("\xFC\x01\x00\x00\x00", 5));  // behind a top transaction
    made.record(1, 0x20, 24, time + 9'000'000);                                          // ABORT
    made.record(1, 0x00, 300, time + 3'000'000);                                         // many subtransactions
    const Commits commits = read(made.segment());
    EXPECT_EQ(commits.count, 4U);
    EXPECT_EQ(commits.last, kNoon + 3000);
}

TEST(RecordReader, LeavesOutWhatTheSegmentBeforeBegan) {
    for (const std::uint32_t continued : {1U, 7U, 8U, 100U, 8152U, 8153U, 20'000U, 100'000U}) {
        MadeWal made;
        made.continued = continued;
        made.commit(kNoon);
        const Commits commits = read(made.segment());
        EXPECT_EQ(commits.count, 1U) << continued;
        EXPECT_EQ(commits.records, 1U) << continued;
    }
}

TEST(RecordReader, LeavesOutWhatTheSegmentBreaksOff) {
    MadeWal made;
    made.commit(kNoon);
    made.other(2 << 20);
    made.commit(kNoon + 1);
    const Commits commits = read(made.segment());
    EXPECT_EQ(commits.count, 1U);
    EXPECT_EQ(commits.records, 1U);
}

TEST(RecordReader, EndsWithTheZerosBehindASwitch) {
    MadeWal made;
    made.commit(kNoon);
    made.record(0, 0x40, 0);
    RecordReader reader;
    reader.feed(as_bytes(made.segment()));
    EXPECT_TRUE(reader.ended());
    EXPECT_EQ(reader.commits().count, 1U);
}

TEST(RecordReader, TakesAnyBytes) {
    std::mt19937 random(7);
    MadeWal made;
    for (int i = 0; i < 400; ++i) {
        made.other(static_cast<std::size_t>(i * 13 % 2000));
        made.commit(kNoon + i);
    }
    const std::string whole = made.segment();
    for (int round = 0; round < 300; ++round) {
        std::string damaged = whole;
        for (int i = 0; i < 20; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
        damaged.resize(random() % damaged.size());
        EXPECT_LE(read(damaged).count, 2000U);
    }
}

TEST(FirstPage, IsAcceptedWhenItIsWhatTheNameSays) {
    MadeWal made;
    made.number = 77;
    made.commit(kNoon);
    const auto page = check_first_page(as_bytes(made.segment()), name_of(made), made.system_id, made.segment_bytes);
    ASSERT_TRUE(page) << page.error().message();
    EXPECT_EQ(major_of_magic(page->magic), 15);
}

TEST(FirstPage, IsRefusedOfAnotherCluster) {
    MadeWal made;
    made.commit(kNoon);
    const auto page = check_first_page(as_bytes(made.segment()), name_of(made), 42, made.segment_bytes);
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code(), Errc::conflict);
    EXPECT_THAT(page.error().message(), HasSubstr("is of cluster 7000000000000000001, not of 42"));
}

TEST(FirstPage, IsRefusedOfAnotherPlace) {
    MadeWal made;
    made.commit(kNoon);
    const std::string segment = made.segment();
    const auto refused = [&](const WalName& name, std::uint64_t bytes, ByteSpan beginning) {
        const auto page = check_first_page(beginning, name, made.system_id, bytes);
        return !page && page.error().code() == Errc::corrupted;
    };
    EXPECT_TRUE(refused(parse_wal_name("000000010000000000000002").value(), made.segment_bytes, as_bytes(segment)));
    EXPECT_TRUE(refused(name_of(made), 16 << 20, as_bytes(segment)));
    EXPECT_TRUE(refused(name_of(made), made.segment_bytes, as_bytes(std::string(8192, '\0'))));
    EXPECT_TRUE(refused(name_of(made), made.segment_bytes, as_bytes(segment).subspan(8192)));
    EXPECT_TRUE(refused(name_of(made), made.segment_bytes, as_bytes(segment).first(30)));
    MadeWal child = made;
    child.timeline = 3;
    EXPECT_TRUE(refused(name_of(made), made.segment_bytes, as_bytes(child.segment())));
}

// The first segment of a new timeline begins with pages of its parent.
TEST(FirstPage, MayBeOfAnEarlierTimeline) {
    MadeWal made;
    made.commit(kNoon);
    const WalName child = parse_wal_name("000000020000000000000001").value();
    EXPECT_TRUE(check_first_page(as_bytes(made.segment()), child, made.system_id, made.segment_bytes));
}

}  // namespace
}  // namespace backstay::wal
