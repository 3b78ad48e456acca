// Overdue backups come from silence: a clock moved by hand, the real store.
#include "control-plane/schedule/overdue.h"

#include <gtest/gtest.h>

#include "control-plane/alerts/repository.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::schedule {
namespace {

using alerts::Alert;
using alerts::Severity;

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;

class Overdue : public ::testing::Test {
protected:
    Overdue() {
        schedule_.id = new_uuid();
        schedule_.environment_id = world_.environment.id;
        schedule_.organization_id = world_.organization_id;
        schedule_.full = {"daily", "0 2 * * *", {}};
        schedule_.created_at = schedule_.updated_at = world_.now;
        save();
    }
    void save() { EXPECT_TRUE(store::Schedules(world_.db()).put(schedule_)); }
    std::vector<Alert> look() {
        const auto done = watch_overdue(world_.db(), world_.now);
        EXPECT_TRUE(done) << done.error().message();
        return alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {9, 0}}).value().items;
    }
    void made(const std::string& status, const std::string& scope = "full") {
        operations::BackupRow row;
        row.scope = scope;
        row.trigger_kind = "scheduled";
        row.status = status;
        row.created_at = world_.now;
        row.completed_at = world_.now;
        world_.add_backup(row);
    }
    dispatch::World world_;
    store::Schedule schedule_;
};

TEST_F(Overdue, IsAWarningAfterOneAndAHalfCadencesAndCriticalAfterTwo) {
    world_.now += kDay + kDay / 2;
    EXPECT_TRUE(look().empty());
    world_.now += 1;
    ASSERT_EQ(look().size(), 1U);
    EXPECT_EQ(look()[0].severity, Severity::warning);
    EXPECT_EQ(look()[0].type, "backup_overdue");
    EXPECT_EQ(look()[0].occurrences, 1);
    made("failed");
    EXPECT_FALSE(look()[0].resolved_at) << "a failed one is none";
    world_.now += kDay / 2;
    EXPECT_EQ(look()[0].severity, Severity::critical);
    made("partial");
    ASSERT_EQ(look().size(), 1U);
    EXPECT_TRUE(look()[0].resolved_at);
}

TEST_F(Overdue, AsksNothingOfASchedulePausedOrNew) {
    world_.now += 5 * kDay;
    schedule_.updated_at = world_.now;
    save();
    EXPECT_TRUE(look().empty());
    world_.now += 5 * kDay;
    ASSERT_EQ(look().size(), 1U);
    schedule_.paused = true;
    save();
    EXPECT_TRUE(look()[0].resolved_at);
}

TEST_F(Overdue, AFullBackupIsADatabaseBackupToo) {
    schedule_.full = {"none", "", {}};
    schedule_.db = {"hourly", "0 * * * *", {}};
    save();
    world_.now += 2 * kHour;
    ASSERT_EQ(look().size(), 1U);
    made("completed", "full");
    EXPECT_TRUE(look()[0].resolved_at);
}

TEST_F(Overdue, MeasuresACronByItsLongestGap) {
    const store::Cadence working_days{"custom", "0 2 * * 1-5", {}};
    EXPECT_EQ(longest_gap_ms(working_days, "UTC", world_.now), 3 * kDay);
    EXPECT_EQ(longest_gap_ms({"daily", "0 2 * * *", {}}, "UTC", world_.now), kDay);
    EXPECT_FALSE(longest_gap_ms({"none", "", {}}, "UTC", world_.now));
}

}  // namespace
}  // namespace backstay::schedule
