#include "common/domain/schedule.h"

#include <gtest/gtest.h>

#include <set>

#include "common/ids.h"

namespace backstay::schedule {
namespace {

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;

TimeMs at(std::string_view text) { return parse_rfc3339(text).value(); }
Cron cron(std::string_view text) { return Cron::parse(text).value(); }

TEST(NewestSlot, IsNoneBeforeTheFirstAndTheFirstAtItsMoment) {
    const TimeMs first = at("2026-03-04T10:00:00Z");
    EXPECT_FALSE(newest_slot(cron("0 * * * *"), Zone::utc(), first, first - 1));
    const auto slot = newest_slot(cron("0 * * * *"), Zone::utc(), first, first);
    ASSERT_TRUE(slot);
    EXPECT_EQ(slot->due, first);
    EXPECT_EQ(slot->following, first + kHour);
    EXPECT_EQ(slot->stale_at, first + 30 * kMinute);
}

TEST(NewestSlot, PassesOverWhatALongSilenceMissed) {
    const TimeMs first = at("2019-03-04T10:00:00Z");
    const TimeMs now = at("2026-03-04T10:44:00Z");
    EXPECT_EQ(newest_slot(cron("*/15 * * * *"), Zone::utc(), first, now)->due, at("2026-03-04T10:30:00Z"));
    EXPECT_EQ(newest_slot(cron("30 2 * * 0"), Zone::utc(), first, now)->due, at("2026-03-01T02:30:00Z"));
    EXPECT_EQ(newest_slot(cron("0 0 29 2 *"), Zone::utc(), first, now)->due, at("2024-02-29T00:00:00Z"));
    EXPECT_EQ(newest_slot(cron("0 0 29 2 *"), Zone::utc(), at("2025-01-01T00:00:00Z"), now)->due,
              at("2025-01-01T00:00:00Z"))
        << "the first counts as it is";
    EXPECT_FALSE(newest_slot(cron("0 0 30 2 *"), Zone::utc(), first, now)->following);
}

TEST(NewestSlot, IsTheSameHoweverTheTimeWasCut) {
    const Zone zone = Zone::find("Europe/Brussels").value();
    const Cron hourly = cron("17 */6 * * *");
    const TimeMs first = at("2026-03-28T00:00:00Z");
    for (TimeMs now = first; now < first + 72 * kHour; now += 7 * kMinute) {
        TimeMs step = first;
        for (auto next = hourly.next(step, zone); *next <= now; next = hourly.next(step, zone)) step = *next;
        EXPECT_EQ(newest_slot(hourly, zone, first, now)->due, step) << to_rfc3339(now);
    }
}

TEST(AloneAfter, IsAtMostTenMinutesAndAQuarterOfTheInterval) {
    const TimeMs due = at("2026-03-04T10:00:00Z");
    EXPECT_EQ(alone_after_ms(*newest_slot(cron("0 * * * *"), Zone::utc(), due, due)), 10 * kMinute);
    EXPECT_EQ(alone_after_ms(*newest_slot(cron("*/20 * * * *"), Zone::utc(), due, due)), 5 * kMinute);
    EXPECT_EQ(alone_after_ms(*newest_slot(cron("0 * * * *"), Zone::utc(), due, due), 1000), 1000);
}

TEST(Lateness, BeginsBeyondOneAndAHalfIntervalsAndIsBadFromTwoOn) {
    EXPECT_EQ(lateness(3 * kHour, 2 * kHour), Lateness::in_time);
    EXPECT_EQ(lateness(3 * kHour + 1, 2 * kHour), Lateness::late);
    EXPECT_EQ(lateness(4 * kHour, 2 * kHour), Lateness::very_late);
    EXPECT_EQ(lateness(4 * kHour, 0), Lateness::in_time) << "nothing is expected";
    EXPECT_EQ(longest_gap_ms(cron("30 3 * * 1-5"), Zone::utc(), at("2026-03-04T10:00:00Z")), 72 * kHour);
    EXPECT_FALSE(longest_gap_ms(cron("0 0 30 2 *"), Zone::utc(), at("2026-03-04T10:00:00Z")));
}

TEST(RunId, IsAUuidThatOnlyTheSameRunHas) {
    const std::string environment = "11111111-1111-4111-8111-111111111111";
    const TimeMs due = at("2026-03-04T10:00:00Z");
    EXPECT_EQ(run_id(environment, "db", due), run_id(environment, "db", due));
    std::set<std::string> ids;
    for (const char* scope : {"db", "full"}) {
        for (const TimeMs when : {due, due + 1, due + kHour}) {
            ids.insert(run_id(environment, scope, when));
            ids.insert(run_id(new_uuid(), scope, when));
        }
    }
    EXPECT_EQ(ids.size(), 12U);
    for (const std::string& id : ids) EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_LT(run_id(environment, "full", due), run_id(environment, "db", due + 1)) << "rows sort by their time";
    EXPECT_EQ(run_id(environment, "db", due).at(14), '7');
}

}  // namespace
}  // namespace backstay::schedule
