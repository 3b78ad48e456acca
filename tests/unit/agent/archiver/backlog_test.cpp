#include "agent/archiver/backlog.h"

#include <gtest/gtest.h>

namespace backstay::archiver {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(Backlog, SaysNothingBeforeItHasSeenEnough) {
    Backlog backlog;
    EXPECT_FALSE(backlog.growth());
    backlog.add({0, 16 * kMiB, 1000 * kMiB, 2000 * kMiB});
    backlog.add({5'000, 32 * kMiB, 1000 * kMiB, 2000 * kMiB});
    EXPECT_FALSE(backlog.growth());
    EXPECT_FALSE(backlog.seconds_to_full());
    EXPECT_EQ(backlog.waiting_bytes(), 32 * kMiB);
}

TEST(Backlog, ForecastsFromGrowthEvenWhenNothingFails) {
    Backlog backlog;
    for (int second = 0; second <= 60; ++second) {
        const auto waiting = static_cast<std::uint64_t>(second) * 2 * kMiB;
        backlog.add({second * 1000, waiting, 1200 * kMiB - waiting, 2000 * kMiB});
    }
    EXPECT_NEAR(*backlog.growth(), 2.0 * kMiB, 0.2 * kMiB);
    EXPECT_NEAR(static_cast<double>(*backlog.seconds_to_full()), 540, 60);
}

TEST(Backlog, ForecastsNothingWhileItShrinksOrStands) {
    Backlog backlog;
    for (int second = 0; second <= 60; ++second) {
        backlog.add({second * 1000, (100 - static_cast<std::uint64_t>(second)) * kMiB, kMiB, kMiB});
    }
    EXPECT_LT(*backlog.growth(), 0);
    EXPECT_FALSE(backlog.seconds_to_full());
}

TEST(Backlog, ForgetsWhatIsLongPast) {
    Backlog backlog;
    for (int second = 0; second <= 300; ++second) backlog.add({second * 1000, 0, kMiB, kMiB});
    for (int second = 301; second <= 700; ++second) {
        backlog.add({second * 1000, static_cast<std::uint64_t>(second - 300) * kMiB, kMiB, kMiB});
    }
    EXPECT_NEAR(*backlog.growth(), 1.0 * kMiB, 0.05 * kMiB);
}

}  // namespace
}  // namespace backstay::archiver
