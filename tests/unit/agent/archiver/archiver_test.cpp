#include "agent/archiver/archiver.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/archiver/shelf.h"

namespace backstay::archiver {
namespace {

using testing::Bench;
using testing::eventually;

std::vector<WalGap> gaps_of(const Bench& bench) {
    auto database = open_state(bench.state());
    return *WalRepository(*database).gaps(std::string(Bench::kSystem));
}

TEST(Archiver, HasTheLacksOfASlowDestinationOnDiskBeforeItAcknowledges) {
    Bench bench(2);
    bench.shelves[1].hold(true);
    bench.start();
    ASSERT_TRUE(bench.push(1));
    // A crash now must not forget it.
    const auto lacks = bench.lacks(1);
    ASSERT_EQ(lacks.size(), 1U);
    EXPECT_EQ(lacks[0].name, Bench::name_of(1));
    EXPECT_EQ(lacks[0].why, kOnItsWay);
    EXPECT_TRUE(bench.lacks(0).empty());
    bench.shelves[1].hold(false);
    EXPECT_TRUE(eventually([&] { return bench.lacks(1).empty(); }));
    EXPECT_TRUE(bench.shelves[1].has(Bench::name_of(1)));
}

TEST(Archiver, HasTheLacksOfADeadDestinationOnDiskBeforeItAcknowledges) {
    Bench bench(2);
    bench.shelves[0].break_with(Error(Errc::unavailable, "unplugged"));
    bench.start();
    ASSERT_TRUE(bench.push(1));
    ASSERT_TRUE(bench.push(2));
    EXPECT_EQ(bench.lacks(0).size(), 2U);
    EXPECT_NE(bench.lacks(0).front().why.find("unplugged"), std::string::npos);
    EXPECT_EQ(bench.shelves[1].count(), 2U);
}

TEST(Archiver, AcknowledgesNothingWhoseLacksCannotBeWritten) {
    Bench bench(2);
    bench.shelves[1].break_with(Error(Errc::unavailable, "unplugged"));
    bench.start();
    {
        auto database = open_state(bench.state());
        ASSERT_TRUE(database->run("DROP TABLE wal_lacking", {}));
    }
    EXPECT_FALSE(bench.push(1));
    bench.shelves[1].break_with(std::nullopt);
}

TEST(Archiver, GoesOnWhileOneDestinationHangs) {
    Bench bench(2);
    bench.shelves[1].hold(true);
    // The hung one may hold up two segments.
    bench.start(100'000);
    for (std::uint64_t number = 1; number <= 40; ++number) {
        ASSERT_TRUE(bench.push(Bench::name_of(number), Bench::segment(number, 1'700'000'000'000, 500'000))) << number;
    }
    EXPECT_EQ(bench.shelves[0].count(), 40U);
    EXPECT_EQ(bench.lacks(1).size(), 40U);
    EXPECT_EQ(bench.archiver->status().archived, 40U);
}

TEST(Archiver, AcknowledgesBySpoolWhatNoDestinationTakesAndStoresItLater) {
    Bench bench(2);
    bench.config.ack = "spool";
    for (auto& shelf : bench.shelves) shelf.break_with(Error(Errc::unavailable, "unplugged"));
    bench.start();
    ASSERT_TRUE(bench.push(1));
    ASSERT_TRUE(bench.push("00000002.history", "1\t0/2000000\tno recovery target specified\n"));
    // A later life, with one destination back.
    bench.archiver.reset();
    bench.shelves[0].break_with(std::nullopt);
    bench.start();
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].count() == 2; }));
    // The file goes when it is on disk who lacks it.
    EXPECT_TRUE(eventually([&] { return std::filesystem::is_empty(bench.spool()); }));
    EXPECT_EQ(bench.lacks(1).size(), 2U);
    bench.archiver.reset();
    bench.recorder.reset();
    auto database = open_state(bench.state());
    const auto histories = WalRepository(*database).histories(std::string(Bench::kSystem));
    ASSERT_TRUE(histories) << histories.error().message();
    EXPECT_EQ(histories->size(), 1U) << "a history of the spool keeps its content";
}

TEST(Archiver, LeavesWhatIsInUseAloneWhenItTakesUpTheSpool) {
    Bench bench(1);
    bench.config.ack = "spool";
    bench.shelves[0].break_with(Error(Errc::unavailable, "unplugged"));
    bench.start();
    ASSERT_TRUE(bench.push(1));
    bench.archiver.reset();
    bench.shelves[0].break_with(std::nullopt);
    // Reading it takes a while, in which PostgreSQL asks for the same segment again.
    const std::string file = bench.spool() + "/" + Bench::name_of(1) + ".zst";
    std::filesystem::resize_file(file, 300 << 20);
    bench.shelves[0].hold(true);
    bench.start();
    static_cast<void>(bench.push(1));
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].waiting() > 0; }));
    bench.shelves[0].hold(false);
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].count() == 1; }));
}

TEST(Archiver, RefusesOtherContentThanWhatWaitsInTheSpool) {
    Bench bench(1);
    bench.config.ack = "spool";
    bench.shelves[0].break_with(Error(Errc::unavailable, "unplugged"));
    bench.start();
    ASSERT_TRUE(bench.push(1));
    bench.archiver.reset();
    bench.start();
    Result<> other;
    // While the first is being tried, it is only told that it is busy.
    ASSERT_TRUE(eventually([&] {
        other = bench.push(Bench::name_of(1), Bench::segment(1, 1'600'000'000'000));
        return other || other.error().code() == Errc::conflict;
    }));
    ASSERT_FALSE(other);
    EXPECT_EQ(bench.archiver->status().state, "conflict");
    bench.shelves[0].break_with(std::nullopt);
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].count() == 1; })) << "the first one is kept";
}

TEST(Archiver, ShowsAConflictOfWhatTheSpoolAcknowledged) {
    Bench bench(1);
    bench.start();
    ASSERT_TRUE(bench.push(Bench::name_of(1), Bench::segment(1, 1'600'000'000'000)));
    bench.archiver.reset();
    bench.config.ack = "spool";
    bench.start();
    ASSERT_TRUE(bench.push(1));
    EXPECT_TRUE(eventually([&] { return bench.archiver->status().state == "conflict"; }));
    EXPECT_TRUE(eventually([&] { return bench.lacks(0).size() == 1 && bench.lacks(0).front().conflict; }));
    // Others that succeed do not hide it.
    ASSERT_TRUE(bench.push(2));
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].has(Bench::name_of(2)); }));
    EXPECT_EQ(bench.archiver->status().state, "conflict");
    EXPECT_NE(bench.archiver->status().why.find("other content"), std::string::npos);
    EXPECT_FALSE(std::filesystem::is_empty(bench.spool())) << "the only copy stays";
}

struct Dropping : Bench {
    Dropping() : Bench(1) {
        config.on_overflow = "drop";
        config.overflow_bytes = 10 * kSegmentBytes;
        ready = 100;
        shelves[0].break_with(Error(Errc::unavailable, "unplugged"));
        start();
    }
};

TEST(Archiver, DropsSegmentsOverTheAgreedBacklogAndTellsSo) {
    Dropping bench;
    ASSERT_TRUE(bench.push(1));
    ASSERT_TRUE(bench.push(2));
    ASSERT_TRUE(bench.push(3));
    const ArchiverStatus status = bench.archiver->status();
    EXPECT_EQ(status.dropped, 3U);
    EXPECT_EQ(status.state, "dropping");
    EXPECT_EQ(status.failed_count, 1) << "only one was tried";
    EXPECT_FALSE(status.last_archived_at) << "what is dropped is not archived";
    EXPECT_TRUE(status.last_archived.empty());
    EXPECT_EQ(gaps_of(bench).size(), 1U);
}

TEST(Archiver, NeverDropsHistories) {
    Dropping bench;
    ASSERT_TRUE(bench.push(1));
    const std::string history = "1\t0/2000000\tno recovery target specified\n";
    const auto kept = bench.push("00000002.history", history);
    EXPECT_TRUE(kept) << "it holds up what is dropped behind it: " << kept.error().message();
    ASSERT_TRUE(bench.push(2));
    EXPECT_EQ(bench.archiver->status().dropped, 2U);
    // On this host's disk, and stored as soon as there is where.
    EXPECT_GT(bench.archiver->status().spool_bytes, 0U);
    bench.shelves[0].break_with(std::nullopt);
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].has("00000002.history"); }));
    EXPECT_TRUE(eventually([&] { return bench.archiver->status().spool_bytes == 0; }));
    EXPECT_FALSE(bench.shelves[0].has(Bench::name_of(2)));
}

TEST(Archiver, KeepsHistoriesOnThisHostWhileADestinationHangsAndWalIsDropped) {
    Dropping bench;
    ASSERT_TRUE(bench.push(1));
    bench.shelves[0].break_with(std::nullopt);
    bench.shelves[0].hold(true);
    const auto kept = bench.push("00000002.history", "1\t0/2000000\tno recovery target specified\n");
    EXPECT_TRUE(kept) << kept.error().message();
    EXPECT_GT(bench.archiver->status().spool_bytes, 0U);
    bench.shelves[0].hold(false);
    EXPECT_TRUE(eventually([&] { return bench.shelves[0].has("00000002.history"); }));
    EXPECT_TRUE(eventually([&] { return bench.archiver->status().spool_bytes == 0; }));
}

TEST(Archiver, AcknowledgesNoHistoryEarlyWhileNothingHasToBeDropped) {
    Dropping bench;
    bench.ready = 5;
    EXPECT_FALSE(bench.push("00000002.history", "1\t0/2000000\tno recovery target specified\n"));
    EXPECT_FALSE(bench.push("00000002.history", "1\t0/2000000\tno recovery target specified\n"));
    EXPECT_EQ(bench.archiver->status().spool_bytes, 0U);
}

TEST(Archiver, DropsNothingForWhoIsGone) {
    Dropping bench;
    PushOrder order;
    order.file = bench.file(Bench::name_of(1), Bench::segment(1));
    order.ready = 100;
    order.gone = [] { return true; };
    EXPECT_FALSE(bench.archiver->push(std::move(order)));
    EXPECT_TRUE(gaps_of(bench).empty());
}

}  // namespace
}  // namespace backstay::archiver
