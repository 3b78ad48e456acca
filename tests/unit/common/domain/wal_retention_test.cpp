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

}  // namespace
}  // namespace backstay::wal
