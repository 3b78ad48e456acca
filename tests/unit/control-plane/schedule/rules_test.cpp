#include "control-plane/schedule/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/ids.h"
#include "common/time/cron.h"
#include "control-plane/api/answer.h"

namespace backstay::schedule {
namespace {

using store::Cadence;
using ::testing::HasSubstr;

const std::string kEnvironment = "11111111-1111-4111-8111-111111111111";

TimeMs at(std::string_view text) { return parse_rfc3339(text).value(); }

Result<Cadence> take(const CadenceWish& wish, const Cadence& stored = {}) {
    return take_cadence("db", wish, stored, kEnvironment);
}

// "422 code field"
template <class T>
std::string refusal(const Result<T>& result) {
    if (result) return "taken";
    const auto response = api::error_answer(result.error());
    const auto body = json::parse(response.body).value();
    return std::to_string(response.status) + " " + std::string(body.at("error").as_string()) + " " +
           std::string(body.at("detail").at(0).at("field").as_string());
}

TEST(Cadences, OfANameHaveACronWhoseMinuteIsTheEnvironmentsOwn) {
    for (const Preset& preset : kPresets) {
        if (preset.frequency.empty()) continue;
        const auto cadence = take({std::string(preset.frequency), {}});
        ASSERT_TRUE(cadence) << preset.frequency;
        EXPECT_EQ(cadence->cron, spread_cron(preset.frequency, kEnvironment));
        EXPECT_EQ(cadence->cron.substr(cadence->cron.find(' ')), preset.cron.substr(preset.cron.find(' ')));
        EXPECT_TRUE(Cron::parse(cadence->cron));
    }
    std::set<std::string> minutes;
    for (int i = 0; i < 300; ++i) minutes.insert(spread_cron("daily", new_uuid()));
    EXPECT_GT(minutes.size(), 50U) << "spread over the hour";
}

TEST(Cadences, TakeACronOfTheirOwnOnlyAsCustom) {
    const auto custom = take({"custom", "30  3 * * *"});
    ASSERT_TRUE(custom);
    EXPECT_EQ(custom->cron, "30 3 * * *");
    EXPECT_EQ(take({{}, "30 3 * * *"})->frequency, "custom") << "a cron alone says it";
    EXPECT_EQ(take({"custom", {}}, *custom)->cron, "30 3 * * *") << "absent: as it was";
    EXPECT_EQ(refusal(take({"custom", {}})), "422 invalid_cron dbCron");
    EXPECT_EQ(refusal(take({"daily", "30 3 * * *"})), "422 invalid_cron dbCron");
    EXPECT_EQ(refusal(take({"none", "30 3 * * *"})), "422 invalid_cron dbCron");
}

TEST(Cadences, TakeBackWhatWasShownAndWhatIsListed) {
    const Cadence daily = take({"daily", {}}).value();
    EXPECT_EQ(take({daily.frequency, daily.cron}, daily)->cron, daily.cron);
    EXPECT_EQ(take({{}, daily.cron}, daily)->frequency, "daily");
    const Cadence listed = take({"daily", "0 2 * * *"}).value();
    EXPECT_EQ(listed.cron, "0 2 * * *") << "a typed minute stays";
    EXPECT_EQ(take({"daily", {}}, listed)->cron, "0 2 * * *");
    EXPECT_EQ(take({{}, {}}, listed)->cron, "0 2 * * *");
    EXPECT_EQ(take({"none", ""}, listed)->cron, "");
    EXPECT_EQ(take({"none", {}}, listed)->frequency, "none");
}

TEST(Cadences, AreRefusedWithTheFieldAtFault) {
    EXPECT_EQ(refusal(take({"sometimes", {}})), "422 invalid_frequency dbFrequency");
    EXPECT_EQ(refusal(take({"custom", "61 * * * *"})), "422 invalid_cron dbCron");
    EXPECT_EQ(refusal(take({"custom", "0 0 30 2 *"})), "422 invalid_cron dbCron");
    EXPECT_EQ(refusal(take({"custom", "0 0 L * *"})), "422 invalid_cron dbCron");
    EXPECT_EQ(refusal(take({"custom", "*/10 * * * *"})), "422 cron_too_frequent dbCron");
    EXPECT_EQ(refusal(take({"custom", "55 23 * * *"})), "taken");
    EXPECT_EQ(refusal(take({"custom", "0,5 0 * * *"})), "422 cron_too_frequent dbCron");
    EXPECT_EQ(refusal(take({"custom", "*/15 * * * *"})), "taken");
}

TEST(ScheduleNumbers, AreCheckedByNameAndRange) {
    EXPECT_TRUE(check_time_zone("Asia/Kolkata"));
    EXPECT_EQ(refusal(check_time_zone("Europe/Atlantis")), "422 invalid_timezone timezone");
    EXPECT_EQ(refusal(check_time_zone("")), "422 invalid_timezone timezone");
    EXPECT_TRUE(check_wal_days(90));
    EXPECT_EQ(refusal(check_wal_days(91)), "422 out_of_range walRetentionDays");
    retention::Numbers numbers = retention::usual_numbers();
    EXPECT_TRUE(check_retention(numbers));
    numbers.retain_db_daily = 1001;
    EXPECT_EQ(refusal(check_retention(numbers)), "422 out_of_range retainDbDaily");
    numbers = {};
    numbers.retain_hourly = numbers.retain_daily = numbers.retain_weekly = numbers.retain_monthly = 0;
    EXPECT_EQ(refusal(check_retention(numbers)), "422 empty_retention retainDaily");
    numbers = retention::usual_numbers();
    numbers.retain_weekly_days = -1;
    EXPECT_EQ(refusal(check_retention(numbers)), "422 out_of_range retainWeeklyDays");
}

class NextMoments : public ::testing::Test {
protected:
    NextMoments() {
        schedule_.time_zone = "Europe/Brussels";
        schedule_.db = {"custom", "0 2 * * *", {}};
        EXPECT_TRUE(reckon_next(schedule_, std::nullopt, now_));
    }
    void change(TimeMs now) {
        EXPECT_TRUE(reckon_next(schedule_, before_, now));
        before_ = schedule_;
    }
    TimeMs now_ = at("2026-03-04T12:00:00Z");
    store::Schedule schedule_;
    std::optional<store::Schedule> before_;
};

TEST_F(NextMoments, AreReckonedInTheSchedulesZoneFromNow) {
    EXPECT_EQ(schedule_.db.next, at("2026-03-05T01:00:00Z"));
    EXPECT_FALSE(schedule_.full.next);
}

TEST_F(NextMoments, AMomentThatWaitsIsNotLostByAnUnrelatedChange) {
    before_ = schedule_;
    schedule_.retention.retain_daily = 3;
    const TimeMs later = at("2026-03-05T03:00:00Z");
    change(later);
    EXPECT_EQ(schedule_.db.next, at("2026-03-05T01:00:00Z"));
    EXPECT_EQ(shown_next(schedule_, schedule_.db, later), at("2026-03-06T01:00:00Z")) << "people see what lies ahead";
}

TEST_F(NextMoments, APauseForgetsThemAndItsEndReplaysNothing) {
    before_ = schedule_;
    schedule_.paused = true;
    change(at("2026-03-05T00:00:00Z"));
    EXPECT_FALSE(schedule_.db.next);
    EXPECT_FALSE(shown_next(schedule_, schedule_.db, now_));
    schedule_.paused = false;
    change(at("2026-03-08T03:00:00Z"));
    EXPECT_EQ(schedule_.db.next, at("2026-03-09T01:00:00Z"));
    schedule_.enabled = false;
    change(at("2026-03-08T03:00:00Z"));
    EXPECT_FALSE(schedule_.db.next);
}

TEST_F(NextMoments, ANewCronOrZoneReckonsAnew) {
    before_ = schedule_;
    schedule_.full = {"custom", "0 0 * * 0", {}};
    change(now_);
    EXPECT_EQ(schedule_.db.next, at("2026-03-05T01:00:00Z"));
    EXPECT_EQ(schedule_.full.next, at("2026-03-07T23:00:00Z"));
    schedule_.time_zone = "Asia/Kolkata";
    change(now_);
    EXPECT_EQ(schedule_.db.next, at("2026-03-04T20:30:00Z"));
}

}  // namespace
}  // namespace backstay::schedule
