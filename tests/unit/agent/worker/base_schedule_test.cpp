#include "agent/worker/base_schedule.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

constexpr std::uint64_t kSegment = wal::kDefaultSegmentBytes;
constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kDay = 24 * kHour;

// WAL of segments 1 to 9 and a base at segment 2, an hour old.
BaseSituation quiet() {
    BaseSituation situation;
    situation.now = 100 * kDay;
    situation.holdings.runs = {{1, kSegment, 10 * kSegment, situation.now - kDay, situation.now - 1000}};
    situation.holdings.bases = {
        {"b", 1, 2 * kSegment + 40, 2 * kSegment + 80, situation.now - kHour - 10, situation.now - kHour}};
    return situation;
}

TEST(BaseSchedule, AsksForNothingWhileABaseReachesTheWal) { EXPECT_EQ(due_base(quiet()), std::nullopt); }

TEST(BaseSchedule, WaitsForTheFirstWalAndThenTakesTheFirstBase) {
    BaseSituation situation = quiet();
    situation.holdings.bases.clear();
    EXPECT_EQ(due_base(situation), "wal_enabled");
    situation.holdings.runs.clear();
    EXPECT_EQ(due_base(situation), std::nullopt);
}

TEST(BaseSchedule, TakesOneWhenTheLastIsOld) {
    BaseSituation situation = quiet();
    situation.now += 7 * kDay - kHour - 1;
    EXPECT_EQ(due_base(situation), std::nullopt);
    situation.now += 1;
    EXPECT_EQ(due_base(situation), "interval");
}

TEST(BaseSchedule, TakesOneBehindAGap) {
    BaseSituation situation = quiet();
    situation.holdings.runs.push_back({1, 11 * kSegment, 12 * kSegment, situation.now, situation.now});
    EXPECT_EQ(due_base(situation), "gap");
    // One that lies before the base is over.
    situation.holdings.bases[0].start = 11 * kSegment + 40;
    situation.holdings.bases[0].stop = 11 * kSegment + 80;
    EXPECT_EQ(due_base(situation), std::nullopt);
}

TEST(BaseSchedule, TakesOneOnANewTimeline) {
    BaseSituation situation = quiet();
    situation.holdings.histories = {{2, {{1, 10 * kSegment}}}};
    situation.holdings.runs.push_back({2, 10 * kSegment, 11 * kSegment, situation.now, situation.now});
    situation.server_timeline = 2;
    EXPECT_EQ(due_base(situation), "timeline_changed");
}

TEST(BaseSchedule, LeavesTheTimelineOfACloneAlone) {
    BaseSituation situation = quiet();
    situation.holdings.histories = {{2, {{1, 10 * kSegment}}}};
    situation.holdings.runs.push_back({2, 10 * kSegment, 11 * kSegment, situation.now, situation.now});
    situation.server_timeline = 1;
    EXPECT_EQ(due_base(situation), std::nullopt);
    // And the other way round: a base of the clone's is none of the server's.
    situation.holdings.bases[0].timeline = 2;
    EXPECT_EQ(due_base(situation), "timeline_changed");
}

TEST(BaseSchedule, TakesAtMostOneAnHourForTheSameReason) {
    BaseSituation situation = quiet();
    situation.holdings.runs.push_back({1, 11 * kSegment, 12 * kSegment, situation.now, situation.now});
    situation.taken_at["gap"] = situation.now - kHour + 1;
    EXPECT_EQ(due_base(situation), std::nullopt);
    situation.taken_at["gap"] -= 1;
    EXPECT_EQ(due_base(situation), "gap");
    situation.taken_at = {{"interval", situation.now}};
    EXPECT_EQ(due_base(situation), "gap");
}

TEST(BaseSchedule, TakesOneAtATimeAndWaitsLongerAfterEachFailure) {
    BaseSituation situation = quiet();
    situation.holdings.bases.clear();
    situation.under_way = true;
    EXPECT_EQ(due_base(situation), std::nullopt);
    situation.under_way = false;
    for (const auto& [failures, wait] : std::map<int, std::int64_t>{{1, 300'000}, {2, 600'000}, {20, 6 * kHour}}) {
        situation.failures = failures;
        situation.last_failed_at = situation.now - wait + 1;
        EXPECT_EQ(due_base(situation), std::nullopt) << failures;
        situation.last_failed_at = situation.now - wait;
        EXPECT_EQ(due_base(situation), "wal_enabled") << failures;
    }
}

}  // namespace
}  // namespace backstay
