#include "common/domain/wal_coverage.h"

#include <gtest/gtest.h>

#include "tests/unit/common/domain/wal_model.h"

namespace backstay::wal {
namespace {

using testing::kSegment;
using testing::Maker;
using testing::Model;

ArchivedSegment segment(Timeline timeline, Lsn number, TimeMs commits) {
    return {timeline, number * kSegment, commits, commits + 9};
}

Base base(const char* id, Timeline timeline, Lsn number, TimeMs ended) {
    return {id, timeline, number * kSegment + 40, number * kSegment + 400, ended - 5, ended};
}

TEST(Lsn, ReadsAndWritesWhatPostgresqlWrites) {
    EXPECT_EQ(format_lsn(0x16'B374D848), "16/B374D848");
    EXPECT_EQ(*parse_lsn("16/B374D848"), 0x16'B374D848U);
    EXPECT_EQ(*parse_lsn("0/0"), 0U);
    for (const char* bad : {"", "/", "1/", "/1", "1-2", "1/2/3", "123456789/0", "G/0", " 1/2"}) {
        EXPECT_FALSE(parse_lsn(bad)) << bad;
    }
}

TEST(History, ReadsAncestorsAndIgnoresCommentsAndReasons) {
    const auto history =
        parse_history(3, "# made up\n1\t0/A000198\tno recovery target specified\n\n2\t0/B000000\tx y\n");
    ASSERT_TRUE(history);
    EXPECT_EQ(history->forks, (std::vector<Fork>{{1, 0xA000198}, {2, 0xB000000}}));
}

TEST(History, RefusesWhatFallsOrNamesItself) {
    EXPECT_FALSE(parse_history(2, "2\t0/A000000\tx\n"));
    EXPECT_FALSE(parse_history(3, "2\t0/A000000\tx\n1\t0/B000000\tx\n"));
    EXPECT_FALSE(parse_history(3, "1\t0/B000000\tx\n2\t0/A000000\tx\n"));
    EXPECT_FALSE(parse_history(2, "one\t0/B000000\n"));
    EXPECT_FALSE(parse_history(2, ""));
}

TEST(Coverage, IsEmptyWithoutWalAndWithoutBases) {
    EXPECT_EQ(cover({}).timeline, 0U);
    const Coverage coverage = cover({kSegment, sum_up({segment(1, 1, 100)}, kSegment, {}), {}, {}});
    EXPECT_TRUE(coverage.ranges.empty());
    EXPECT_FALSE(coverage.earliest);
    EXPECT_EQ(find_nearest(coverage, 105).reach, Reach::nothing);
}

TEST(Coverage, RunsFromTheEndOfTheFirstBaseToTheLastCommit) {
    const Holdings holdings{kSegment,
                            sum_up({segment(1, 3, 300), segment(1, 1, 100), segment(1, 2, 200)}, kSegment, {}),
                            {},
                            {base("b", 1, 1, 110)}};
    const Coverage coverage = cover(holdings);
    ASSERT_EQ(coverage.ranges.size(), 1U);
    EXPECT_EQ(coverage.ranges[0].time, (TimeRange{110, 309}));
    EXPECT_EQ(*coverage.earliest, 110);
    EXPECT_EQ(*coverage.latest, 309);
    EXPECT_TRUE(coverage.gaps.empty());
    EXPECT_EQ(find_nearest(coverage, 109).reach, Reach::before_all);
    EXPECT_EQ(*find_nearest(coverage, 109).after, 110);
    EXPECT_EQ(find_nearest(coverage, 310).reach, Reach::after_all);
    EXPECT_EQ(*find_nearest(coverage, 310).before, 309);
}

TEST(Coverage, AMissingSegmentIsAGapUntilTheNextBaseEnds) {
    const std::vector<ArchivedSegment> segments = {segment(1, 1, 100), segment(1, 2, 200), segment(1, 4, 400),
                                                   segment(1, 5, 500)};
    const Holdings holdings{kSegment, sum_up(segments, kSegment, {}), {}, {base("a", 1, 1, 110), base("b", 1, 4, 450)}};
    const Coverage coverage = cover(holdings);
    ASSERT_EQ(coverage.ranges.size(), 2U);
    ASSERT_EQ(coverage.gaps.size(), 1U);
    EXPECT_EQ(coverage.gaps[0], (TimeRange{209, 450}));
    const Nearest nearest = find_nearest(coverage, 300);
    EXPECT_EQ(nearest.reach, Reach::in_gap);
    EXPECT_EQ(*nearest.before, 209);
    EXPECT_EQ(*nearest.after, 450);
    EXPECT_EQ(choose_base(holdings, coverage, 300), nullptr);
    EXPECT_EQ(choose_base(holdings, coverage, 509)->backup_id, "b");
    EXPECT_EQ(choose_base(holdings, coverage, 205)->backup_id, "a");
}

TEST(Coverage, WalBehindAGapThatNoBaseReachesIsAGapToo) {
    const Holdings holdings{
        kSegment, sum_up({segment(1, 1, 100), segment(1, 3, 300)}, kSegment, {}), {}, {base("a", 1, 1, 105)}};
    const Coverage coverage = cover(holdings);
    EXPECT_EQ(*coverage.latest, 109);
    ASSERT_EQ(coverage.gaps.size(), 1U);
    EXPECT_EQ(coverage.gaps[0], (TimeRange{109, 309}));
    EXPECT_EQ(find_nearest(coverage, 200).reach, Reach::in_gap);
    EXPECT_EQ(find_nearest(coverage, 400).reach, Reach::after_all);
}

TEST(Coverage, GoesOnAcrossAPromotion) {
    const std::vector<History> histories = {{2, {{1, 3 * kSegment + 500}}}};
    // The old primary went on for a while: its third and fourth segment are not on the way.
    const std::vector<ArchivedSegment> segments = {segment(1, 1, 100), segment(1, 2, 200), segment(1, 3, 310),
                                                   segment(1, 4, 320), segment(2, 3, 300), segment(2, 4, 400)};
    const Holdings holdings{kSegment,
                            sum_up(segments, kSegment, histories),
                            histories,
                            {base("a", 1, 1, 110), {"lost", 1, 3 * kSegment + 600, 3 * kSegment + 700, 312, 315}}};
    const Coverage coverage = cover(holdings);
    EXPECT_EQ(coverage.timeline, 2U);
    ASSERT_EQ(coverage.ranges.size(), 1U);
    EXPECT_EQ(coverage.ranges[0].time, (TimeRange{110, 409}));
    EXPECT_EQ(coverage.ranges[0].bases, std::vector<std::string>{"a"});
}

TEST(Coverage, WithoutItsHistoryATimelineStandsAlone) {
    const std::vector<ArchivedSegment> segments = {segment(1, 1, 100), segment(1, 2, 200), segment(2, 3, 300)};
    const Holdings holdings{kSegment, sum_up(segments, kSegment, {}), {}, {base("a", 1, 1, 110)}};
    EXPECT_TRUE(cover(holdings).ranges.empty());
}

TEST(Coverage, ABaseCountsFromTheFirstCommitAfterItsEndOn) {
    const std::vector<ArchivedSegment> segments = {segment(1, 1, 100)};
    EXPECT_TRUE(cover({kSegment, sum_up(segments, kSegment, {}), {}, {base("a", 1, 1, 110)}}).ranges.empty());
    EXPECT_EQ(cover({kSegment, sum_up(segments, kSegment, {}), {}, {base("a", 1, 1, 109)}}).ranges.size(), 1U);
}

TEST(Coverage, ABaseWhoseOwnWalIsNotWholeIsNone) {
    const Holdings holdings{kSegment,
                            sum_up({segment(1, 1, 100)}, kSegment, {}),
                            {},
                            {{"cut", 1, kSegment + 40, 2 * kSegment + 40, 90, 105}}};
    EXPECT_TRUE(cover(holdings).ranges.empty());
}

TEST(Coverage, StagesReadTheSegmentOfAForkFromTheChild) {
    const auto stages = stages_of(3, {{3, {{1, 5 * kSegment + 7}, {2, 9 * kSegment}}}}, kSegment);
    ASSERT_EQ(stages.size(), 3U);
    EXPECT_EQ(stages[0].end, 5 * kSegment);
    EXPECT_EQ(stages[1].start, 5 * kSegment);
    EXPECT_EQ(stages[2].start, 9 * kSegment);
    EXPECT_EQ(stages[2].timeline, 3U);
}

TEST(Coverage, AgreesWithWalkingTheSegmentsOneByOne) {
    std::size_t inside = 0;
    for (unsigned seed = 0; seed < 400; ++seed) {
        Maker maker(seed);
        const Model model = maker.make();
        const Holdings holdings = model.holdings();
        const Coverage coverage = cover(holdings);
        ASSERT_EQ(coverage.timeline, model.newest) << seed;
        for (int i = 0; i < 60; ++i) {
            const TimeMs target = maker.between(999'000, 1'050'000);
            const Nearest nearest = find_nearest(coverage, target);
            ASSERT_EQ(nearest.reach == Reach::inside, model.reachable(target)) << "seed " << seed << " at " << target;
            const Base* chosen = choose_base(holdings, coverage, target);
            ASSERT_EQ(chosen != nullptr, nearest.reach == Reach::inside) << seed;
            if (chosen != nullptr) {
                ASSERT_TRUE(model.reachable_from(*chosen, target)) << seed;
            }
            for (const auto& other : {nearest.before, nearest.after}) {
                if (!other) continue;
                ASSERT_TRUE(model.reachable(*other)) << "seed " << seed << " offers " << *other;
            }
            inside += nearest.reach == Reach::inside ? 1 : 0;
        }
    }
    EXPECT_GT(inside, 1000U);
}

}  // namespace
}  // namespace backstay::wal
