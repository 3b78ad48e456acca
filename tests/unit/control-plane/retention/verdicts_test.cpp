#include "control-plane/retention/verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::retention {
namespace {

using dispatch::World;
using ::testing::ElementsAre;
using ::testing::StartsWith;

constexpr TimeMs kHour = 3'600'000;
constexpr TimeMs kDay = 24 * kHour;

class Verdicts : public ::testing::Test {
protected:
    std::string made(TimeMs created_at, const std::string& scope = "full", const std::string& status = "completed",
                     const std::string& trigger = "scheduled", const std::string& retention = "default") {
        operations::BackupRow row;
        row.scope = scope;
        row.trigger_kind = trigger;
        row.status = status;
        row.retention = retention;
        row.created_at = created_at;
        row.size_bytes = 5;
        return world_.add_backup(row);
    }
    Policy policy(std::int64_t daily) {
        Numbers numbers;
        numbers.retain_hourly = numbers.retain_weekly = numbers.retain_monthly = 0;
        numbers.retain_daily = daily;
        return resolve(numbers, Zone::utc()).value();
    }
    std::vector<BackupVerdict> judged(std::int64_t daily = 2) {
        auto verdicts = judge_backups(world_.db(), world_.environment.id, policy(daily), world_.now);
        EXPECT_TRUE(verdicts) << verdicts.error().message();
        return std::move(*verdicts);
    }
    BackupVerdict verdict(const std::string& id, std::int64_t daily = 2) {
        for (auto& found : judged(daily)) {
            if (found.backup_id == id) return found;
        }
        ADD_FAILURE() << id << " is not among them";
        return {};
    }
    World world_;
};

TEST_F(Verdicts, KeepsWhatTheTiersKeepAndListsTheOldestFirst) {
    const auto today = made(world_.now - kHour);
    const auto yesterday = made(world_.now - kDay);
    const auto older = made(world_.now - 5 * kDay);
    const auto all = judged();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].backup_id, older);
    EXPECT_FALSE(all[0].keep);
    EXPECT_THAT(all[0].reason, StartsWith("tier_count_exceeded: "));
    EXPECT_EQ(all[0].size_bytes, 5);
    EXPECT_EQ(all[1].backup_id, yesterday);
    EXPECT_THAT(all[1].tiers, ElementsAre(Tier::daily));
    EXPECT_EQ(all[2].backup_id, today);
}

TEST_F(Verdicts, WhatIsMadeByHandLivesThirtyDaysOutsideTheTiersUnlessItIsPermanent) {
    made(world_.now - kHour);
    const auto fresh = made(world_.now - 29 * kDay, "full", "completed", "manual");
    const auto over = made(world_.now - 31 * kDay, "full", "completed", "manual");
    const auto permanent = made(world_.now - 300 * kDay, "full", "completed", "manual", "permanent");
    const auto scheduled_permanent = made(world_.now - 300 * kDay, "full", "completed", "scheduled", "permanent");
    EXPECT_TRUE(verdict(fresh).keep);
    EXPECT_TRUE(verdict(permanent).keep);
    EXPECT_TRUE(verdict(scheduled_permanent).keep);
    EXPECT_FALSE(verdict(over).keep);
    EXPECT_THAT(verdict(over).reason, StartsWith("not_in_any_tier: "));
}

TEST_F(Verdicts, TheLastGoodOneStaysAlsoWhenItWasMadeByHand) {
    const auto older = made(world_.now - 50 * kDay, "full", "completed", "manual");
    const auto only = made(world_.now - 40 * kDay, "full", "completed", "manual");
    made(world_.now - 39 * kDay, "full", "failed", "manual");
    const auto database = made(world_.now - 60 * kDay, "db", "completed", "manual");
    EXPECT_TRUE(verdict(only).keep);
    EXPECT_THAT(verdict(only).reason, StartsWith("last_good: "));
    EXPECT_TRUE(verdict(database).keep) << "a type of its own";
    EXPECT_FALSE(verdict(older).keep);
}

TEST_F(Verdicts, FailedOnesAreHistoryForThirtyDaysWhoeverBeganThem) {
    EXPECT_TRUE(verdict(made(world_.now - 29 * kDay, "full", "failed", "manual")).keep);
    EXPECT_FALSE(verdict(made(world_.now - 31 * kDay, "full", "failed", "manual")).keep);
    EXPECT_FALSE(verdict(made(world_.now - 31 * kDay, "full", "cancelled")).keep);
}

TEST_F(Verdicts, NothingGoesThatAJobWorksWith) {
    made(world_.now - kHour);
    const auto older = made(world_.now - 50 * kDay);
    made(world_.now - 40 * kDay);
    made(world_.now - 20 * kDay);
    EXPECT_FALSE(verdict(older).keep);
    dispatch::Job job;
    job.id = new_uuid();
    job.kind = "copy";
    job.organization_id = world_.organization_id;
    job.agent_id = world_.agent.id;
    job.backup_id = older;
    job.operation_id = job.id;
    ASSERT_TRUE(dispatch::insert_job(world_.db(), job));
    EXPECT_TRUE(verdict(older).keep);
    EXPECT_THAT(verdict(older).reason, StartsWith("held: "));
    job.state = dispatch::JobState::finished;
    ASSERT_TRUE(dispatch::update_job(world_.db(), job));
    EXPECT_FALSE(verdict(older).keep);
}

TEST_F(Verdicts, NothingGoesWhileARestoreReadsOrItsSafetyBackupIsTheWayBack) {
    made(world_.now - kHour);
    const auto safety = made(world_.now - 20 * kDay, "full", "completed", "pre_restore");
    made(world_.now - 2 * kDay);
    const auto other = made(world_.now - 30 * kDay);
    operations::RestoreRow restore;
    restore.id = new_uuid();
    restore.organization_id = world_.organization_id;
    restore.backup_id = safety;
    restore.source_environment_id = restore.target_environment_id = world_.environment.id;
    restore.agent_id = world_.agent.id;
    restore.target_type = "same";
    restore.scope = "all";
    restore.created_at = world_.now;
    restore.performed_by = "test";
    ASSERT_TRUE(operations::insert_restore(world_.db(), restore));
    EXPECT_TRUE(verdict(other).keep) << "a moment may need the full backups around it";
    restore.status = "completed";
    restore.completed_at = world_.now;
    restore.keep_until = world_.now + kDay;
    restore.safety_backup_id = safety;
    ASSERT_TRUE(operations::update_restore(world_.db(), restore));
    EXPECT_FALSE(verdict(other).keep);
    EXPECT_TRUE(verdict(safety).keep);
    restore.undone_at = world_.now;
    ASSERT_TRUE(operations::update_restore(world_.db(), restore));
    EXPECT_FALSE(verdict(safety).keep);
}

TEST_F(Verdicts, WhatIsBeingDeletedIsNotCountedAndAnotherEnvironmentsIsNotSeen) {
    made(world_.now - kHour, "full", "deleting");
    const auto kept = made(world_.now - 2 * kHour);
    operations::BackupRow foreign = operations::find_backup_row(world_.db(), kept).value().value();
    foreign.id = new_uuid();
    foreign.environment_id = new_uuid();
    ASSERT_TRUE(operations::insert_backup(world_.db(), foreign));
    const auto all = judged();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].backup_id, kept);
    EXPECT_THAT(all[0].tiers, ElementsAre(Tier::daily));
}

TEST_F(Verdicts, PruningTwiceChangesNothingMore) {
    std::mt19937 random(7);
    for (int i = 0; i < 400; ++i) {
        const TimeMs at = world_.now - static_cast<TimeMs>(random() % 2000) * kHour;
        made(at, random() % 3 == 0 ? "db" : "full", random() % 9 == 0 ? "partial" : "completed",
             random() % 5 == 0 ? "manual" : "scheduled");
    }
    std::size_t kept = 0;
    for (const auto& found : judged(5)) {
        if (found.keep) {
            ++kept;
            continue;
        }
        auto row = world_.backup(found.backup_id);
        row.status = "deleting";
        ASSERT_TRUE(operations::update_backup(world_.db(), row));
    }
    const auto again = judged(5);
    EXPECT_EQ(again.size(), kept);
    for (const auto& found : again) EXPECT_TRUE(found.keep) << found.reason;
}

}  // namespace
}  // namespace backstay::retention
