#include "common/domain/wal_retention.h"

#include <gtest/gtest.h>

#include "tests/unit/common/domain/wal_model.h"

namespace backstay::wal {
namespace {

using testing::kSegment;
using testing::Maker;
using testing::Model;

constexpr std::int64_t kDay = 24LL * 3'600'000;

Model daily(int days) {
    Model model;
    for (int day = 0; day < days; ++day) {
        const Lsn start = kSegment * static_cast<Lsn>(day + 1);
        model.segments.push_back({1, start, day * kDay, day * kDay + kDay - 1});
        model.bases.push_back(
            {"day-" + std::to_string(day), 1, start + 40, start + 80, day * kDay + 10, day * kDay + 20});
    }
    return model;
}

Model without(Model model, const Disposal& disposal) {
    std::erase_if(model.bases, [&](const Base& base) {
        return std::find(disposal.bases.begin(), disposal.bases.end(), base.backup_id) != disposal.bases.end();
    });
    std::erase_if(model.segments, [&](const ArchivedSegment& segment) {
        return disposal.segments_before && segment.start + kSegment <= *disposal.segments_before;
    });
    return model;
}

TEST(Retention, KeepsTheNewestBaseBeforeTheWindowAndItsWal) {
    const Disposal disposal = choose_disposal(daily(10).holdings(), 9 * kDay + 1000, 3);
    EXPECT_EQ(disposal.anchor, "day-6");
    EXPECT_EQ(disposal.bases, (std::vector<std::string>{"day-0", "day-1", "day-2", "day-3", "day-4", "day-5"}));
    EXPECT_EQ(*disposal.segments_before, 7 * kSegment);
}

TEST(Retention, RemovesNothingWhenNoBaseIsOldEnough) {
    const Disposal disposal = choose_disposal(daily(3).holdings(), 3 * kDay, 7);
    EXPECT_TRUE(disposal.bases.empty());
    EXPECT_FALSE(disposal.segments_before);
}

TEST(Retention, TheLastGoodBaseStaysHoweverOldItIs) {
    Model model = daily(1);
    const Disposal disposal = choose_disposal(model.holdings(), 400 * kDay, 1);
    EXPECT_TRUE(disposal.bases.empty());
    EXPECT_FALSE(disposal.segments_before);
}

TEST(Retention, ABaseWithoutItsWalIsNoAnchor) {
    Model model = daily(10);
    // The WAL of day 6 and with it its base are lost; the window must begin at day 5.
    std::erase_if(model.segments, [](const ArchivedSegment& segment) { return segment.start == 7 * kSegment; });
    const Disposal disposal = choose_disposal(model.holdings(), 9 * kDay + 1000, 3);
    EXPECT_EQ(disposal.anchor, "day-5");
    EXPECT_EQ(*disposal.segments_before, 6 * kSegment);
}

TEST(Retention, WalOfAKeptBaseOnALowerPositionStays) {
    // A cluster taken back in time: the newer base stands at a lower position of a newer timeline.
    Model model = daily(6);
    model.newest = 2;
    model.fork = 2 * kSegment;
    model.histories.push_back({2, {{1, model.fork}}});
    for (int day = 6; day < 12; ++day) {
        const Lsn start = kSegment * static_cast<Lsn>(day - 4);
        model.segments.push_back({2, start, day * kDay, day * kDay + kDay - 1});
        if (day == 6) model.bases.push_back({"after", 2, start + 40, start + 80, day * kDay + 10, day * kDay + 20});
    }
    const Disposal disposal = choose_disposal(model.holdings(), 11 * kDay + 1000, 2);
    EXPECT_EQ(disposal.anchor, "after");
    EXPECT_EQ(*disposal.segments_before, 2 * kSegment);
}

// A clone that was promoted archives into the same place while its origin goes on: both have commits in the window.
TEST(Retention, ACloneDoesNotDecideForItsOrigin) {
    Model model = daily(10);
    model.histories.push_back({2, {{1, 5 * kSegment}}});
    for (int day = 4; day < 10; ++day) {
        const Lsn start = kSegment * static_cast<Lsn>(day + 1);
        model.segments.push_back({2, start, day * kDay, day * kDay + kDay + 5});
        model.bases.push_back(
            {"clone-" + std::to_string(day), 2, start + 40, start + 80, day * kDay + 30, day * kDay + 40});
    }
    const TimeMs now = 9 * kDay + 1000;
    ASSERT_EQ(cover(model.holdings()).timeline, 2U) << "the clone's clock is ahead";
    const Disposal disposal = choose_disposal(model.holdings(), now, 3);
    EXPECT_EQ(disposal.anchor, "clone-6");
    const auto goes = [&](const std::string& id) {
        return std::find(disposal.bases.begin(), disposal.bases.end(), id) != disposal.bases.end();
    };
    EXPECT_FALSE(goes("day-6")) << "the origin's window begins with it";
    EXPECT_FALSE(goes("day-9"));
    EXPECT_TRUE(goes("day-5"));
    EXPECT_TRUE(goes("clone-5"));
    EXPECT_EQ(*disposal.segments_before, 7 * kSegment);
    const Model left = without(model, disposal);
    for (TimeMs target = now - 3 * kDay; target < now - 1500; target += kDay / 7) {
        for (const Timeline timeline : {1U, 2U}) {
            const Coverage before = cover_timeline(model.holdings(), timeline);
            const Coverage after = cover_timeline(left.holdings(), timeline);
            ASSERT_EQ(find_nearest(after, target).reach, find_nearest(before, target).reach)
                << "timeline " << timeline << " at " << target;
        }
    }
}

// What was left behind before the window keeps nothing.
TEST(Retention, AnAbandonedTimelineGoesWithTime) {
    Model model = daily(12);
    std::erase_if(model.segments, [](const ArchivedSegment& segment) { return segment.start > 5 * kSegment; });
    std::erase_if(model.bases, [](const Base& base) { return base.start > 5 * kSegment; });
    model.newest = 2;
    model.fork = 4 * kSegment;
    model.histories.push_back({2, {{1, model.fork}}});
    for (int day = 3; day < 12; ++day) {
        const Lsn start = kSegment * static_cast<Lsn>(day + 1);
        model.segments.push_back({2, start, day * kDay, day * kDay + kDay - 1});
        model.bases.push_back(
            {"new-" + std::to_string(day), 2, start + 40, start + 80, day * kDay + 10, day * kDay + 20});
    }
    const Disposal disposal = choose_disposal(model.holdings(), 11 * kDay + 1000, 3);
    EXPECT_EQ(disposal.anchor, "new-8");
    EXPECT_EQ(*disposal.segments_before, 9 * kSegment);
    EXPECT_EQ(without(model, disposal).bases.front().backup_id, "new-8");
}

TEST(Retention, WhatWasReachableInsideTheWindowStaysReachable) {
    std::size_t dropped = 0;
    for (unsigned seed = 0; seed < 400; ++seed) {
        Maker maker(seed);
        Model model = maker.make();
        // The model's times are seconds apart: a "day" of them.
        const std::int64_t stretch = kDay / 2000;
        for (auto& segment : model.segments) {
            if (segment.first_commit) segment.first_commit = *segment.first_commit * stretch;
            if (segment.last_commit) segment.last_commit = *segment.last_commit * stretch;
        }
        for (auto& base : model.bases) {
            base.started_at *= stretch;
            base.ended_at *= stretch;
        }
        const TimeMs now = (1'000'000 + maker.between(0, 40'000)) * stretch;
        const int days = maker.between(1, 6);
        const Disposal disposal = choose_disposal(model.holdings(), now, days);
        const Model left = without(model, disposal);
        dropped += disposal.bases.size();
        for (int i = 0; i < 40; ++i) {
            const TimeMs target = now - days * kDay + static_cast<TimeMs>(maker.between(0, days * 2000)) * stretch;
            ASSERT_EQ(left.reachable(target), model.reachable(target)) << "seed " << seed << " at " << target;
        }
        const Coverage after = cover(left.holdings());
        ASSERT_EQ(after.ranges.empty(), cover(model.holdings()).ranges.empty()) << seed;
        // A second look finds nothing more to do.
        const Disposal again = choose_disposal(left.holdings(), now, days);
        ASSERT_TRUE(again.bases.empty()) << seed;
        ASSERT_FALSE(again.segments_before) << seed;
    }
    EXPECT_GT(dropped, 100U);
}

TEST(WalRetention, KnowsAClockThatIsAhead) {
    Holdings holdings;
    EXPECT_FALSE(is_clock_ahead(holdings, 1000 * kDay));
    holdings.runs = {{1, 0, 10, 99 * kDay, 100 * kDay}, {2, 0, 10, std::nullopt, std::nullopt}};
    EXPECT_FALSE(is_clock_ahead(holdings, 101 * kDay));
    EXPECT_FALSE(is_clock_ahead(holdings, 90 * kDay));
    EXPECT_TRUE(is_clock_ahead(holdings, 101 * kDay + 1));
}

}  // namespace
}  // namespace backstay::wal
