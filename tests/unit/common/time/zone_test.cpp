#include "common/time/zone.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TimeMs at(std::string_view text) { return *parse_rfc3339(text); }

TEST(Day, KnowsItsNeighboursAndItsWeekday) {
    EXPECT_EQ((Day{2024, 2, 28}.plus(1)), (Day{2024, 2, 29}));
    EXPECT_EQ((Day{2023, 12, 31}.plus(1)), (Day{2024, 1, 1}));
    EXPECT_EQ((Day{2024, 3, 1}.plus(-1)), (Day{2024, 2, 29}));
    EXPECT_EQ((Day{2026, 11, 21}.weekday()), 6);
    EXPECT_EQ((Day{1970, 1, 2}.since_1970()), 1);
}

TEST(Zone, IsFoundByItsNameOnly) {
    EXPECT_TRUE(Zone::find("Europe/Brussels"));
    EXPECT_TRUE(Zone::find("UTC"));
    for (const char* name : {"", "Europe/Atlantis", "../../etc/passwd", "+02:00", "europe/brussels"}) {
        EXPECT_FALSE(Zone::find(name)) << name;
    }
}

TEST(Zone, ALocalMinuteIsAnInstantAndBack) {
    const Zone kolkata = *Zone::find("Asia/Kolkata");
    const LocalMinute noon{{2026, 5, 1}, 12, 0};
    EXPECT_EQ(kolkata.instant(noon), at("2026-05-01T06:30:00Z"));
    EXPECT_EQ(kolkata.local(at("2026-05-01T06:30:59Z")), noon);
    EXPECT_EQ(Zone::utc().instant(noon), at("2026-05-01T12:00:00Z"));
    EXPECT_EQ(Zone::utc().local(-1), (LocalMinute{{1969, 12, 31}, 23, 59}));
}

TEST(Zone, ASkippedMinuteIsTheFirstThatExists) {
    const Zone brussels = *Zone::find("Europe/Brussels");
    EXPECT_EQ(brussels.instant({{2026, 3, 29}, 2, 30}), at("2026-03-29T01:00:00Z"));
    EXPECT_EQ(brussels.instant({{2026, 3, 29}, 3, 0}), at("2026-03-29T01:00:00Z"));
    // A day that begins at one o'clock.
    const Zone beirut = *Zone::find("Asia/Beirut");
    EXPECT_EQ(beirut.instant({{2026, 3, 29}, 0, 0}), at("2026-03-28T22:00:00Z"));
}

TEST(Zone, AMinuteThatComesTwiceIsItsFirstComing) {
    const Zone brussels = *Zone::find("Europe/Brussels");
    EXPECT_EQ(brussels.instant({{2026, 10, 25}, 2, 30}), at("2026-10-25T00:30:00Z"));
    EXPECT_EQ(brussels.local(at("2026-10-25T01:30:00Z")), (LocalMinute{{2026, 10, 25}, 2, 30}));
}

}  // namespace
}  // namespace backstay
