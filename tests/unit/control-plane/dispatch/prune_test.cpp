// The real prune: it removes exactly what the preview lists, when its time has come, and never twice.
#include "control-plane/dispatch/prune.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "control-plane/alerts/repository.h"
#include "control-plane/retention/verdicts.h"
#include "control-plane/store/removal_hold.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

constexpr TimeMs kDay = 24 * kHour;

class Prune : public ::testing::Test {
protected:
    Prune() {
        schedule_.id = new_uuid();
        schedule_.environment_id = world_.environment.id;
        schedule_.organization_id = world_.organization_id;
        schedule_.created_at = schedule_.updated_at = world_.now;
        schedule_.retention.retain_hourly = 0;
        schedule_.retention.retain_daily = 2;
        schedule_.retention.retain_weekly = schedule_.retention.retain_monthly = 0;
        save();
    }
    void save() { EXPECT_TRUE(store::Schedules(world_.db()).put(schedule_)); }

    std::string made(TimeMs created_at, const std::string& status = "completed", const std::string& scope = "full",
                     const std::string& trigger = "scheduled", const std::string& retention = "default") {
        operations::BackupRow row;
        row.scope = scope;
        row.trigger_kind = trigger;
        row.status = status;
        row.retention = retention;
        row.created_at = created_at;
        row.completed_at = created_at + 1;
        return world_.add_backup(row);
    }
    std::set<std::string> previewed() {
        const auto policy = retention::policy_of(schedule_, schedule_.retention).value();
        std::set<std::string> ids;
        const auto verdicts = retention::judge_backups(world_.db(), world_.environment.id, policy, world_.now);
        for (const auto& verdict : verdicts.value()) {
            if (!verdict.keep) ids.insert(verdict.backup_id);
        }
        return ids;
    }
    std::set<std::string> removed() {
        std::set<std::string> ids;
        auto rows = world_.db().query("SELECT id FROM backups WHERE status IN ('deleting', 'deleted')");
        while (rows->step().value()) ids.insert(rows->text(0));
        return ids;
    }
    void sweep() {
        auto transaction = sql::Transaction::begin(world_.db()).value();
        const auto done = prune_due(world_.db(), world_.now, world_.stir);
        EXPECT_TRUE(done) << done.error().message();
        EXPECT_TRUE(transaction.commit());
    }
    bool prune() {
        const auto done = prune_environment(world_.db(), schedule_, world_.now, world_.stir);
        EXPECT_TRUE(done) << done.error().message();
        return done && *done;
    }
    World world_;
    store::Schedule schedule_;
};

TEST_F(Prune, RemovesNothingByItselfWhileRemovalsAreHeld) {
    for (int day = 0; day < 5; ++day) made(world_.now - day * kDay);
    const std::string failed = made(world_.now - 60 * kDay, "failed");
    sweep();
    world_.now += kPruneEveryMs + 1;
    ASSERT_TRUE(store::hold_removals(world_.db(), world_.now + kDay));
    sweep();
    ASSERT_TRUE(remove_failed_history(world_.db(), world_.now, world_.stir));
    EXPECT_TRUE(removed().empty());
    world_.now += kDay;
    sweep();
    ASSERT_TRUE(remove_failed_history(world_.db(), world_.now, world_.stir));
    EXPECT_GE(removed().size(), 3U);
    EXPECT_TRUE(removed().contains(failed));
}

TEST_F(Prune, RemovesExactlyWhatThePreviewListsAndNothingTheSecondTime) {
    std::mt19937 random(7);
    const std::vector<std::string> statuses{"completed", "completed", "completed", "partial",
                                            "failed",    "cancelled", "running"};
    const auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
    for (int round = 0; round < 25; ++round) {
        ASSERT_TRUE(world_.db().run("DELETE FROM backups", {}));
        const int many = static_cast<int>(random() % 60);
        for (int i = 0; i < many; ++i) {
            const TimeMs age = static_cast<TimeMs>(random() % (90 * 24)) * kHour - kDay;
            made(world_.now - age, pick(statuses), pick({"full", "db", "base"}),
                 pick({"scheduled", "scheduled", "manual"}), pick({"default", "default", "default", "permanent"}));
        }
        schedule_.retention.retain_daily = 1 + static_cast<std::int64_t>(random() % 9);
        schedule_.retention.retain_weekly = static_cast<std::int64_t>(random() % 3);
        const std::set<std::string> expected = previewed();
        ASSERT_TRUE(prune());
        EXPECT_EQ(removed(), expected) << "round " << round;
        EXPECT_TRUE(previewed().empty());
        ASSERT_TRUE(prune());
        EXPECT_EQ(removed(), expected);
    }
}

TEST_F(Prune, RunsAfterABackupThatCanBeRestoredAndOnceADayButNotForAScheduleThatIsNew) {
    const std::string newest = made(world_.now - kDay);
    const std::string old = made(world_.now - 50 * kDay);
    const std::string older = made(world_.now - 51 * kDay);
    sweep();
    EXPECT_TRUE(removed().empty()) << "whoever made the schedule can still change it";
    world_.now += kHour;
    sweep();
    EXPECT_TRUE(removed().empty());
    made(world_.now, "failed");
    world_.now += 2;
    sweep();
    EXPECT_TRUE(removed().empty()) << "never after a failed one";
    made(world_.now);
    world_.now += 2;
    sweep();
    EXPECT_EQ(removed(), (std::set<std::string>{old, older}));
    const std::string another = made(world_.now - 60 * kDay);
    sweep();
    EXPECT_FALSE(removed().contains(another));
    world_.now += kPruneEveryMs;
    sweep();
    EXPECT_TRUE(removed().contains(another));
    EXPECT_FALSE(removed().contains(newest));
}

TEST_F(Prune, WaitsADayAfterAChangeOfTheSchedule) {
    sweep();
    const std::string old = made(world_.now - 50 * kDay);
    made(world_.now - 40 * kDay);
    made(world_.now - 30 * kDay);
    world_.now += 3 * kPruneEveryMs;
    schedule_.updated_at = world_.now;
    save();
    sweep();
    EXPECT_TRUE(removed().empty());
    world_.now += kPruneEveryMs;
    sweep();
    EXPECT_EQ(removed(), std::set<std::string>{old});
}

TEST_F(Prune, DoesNothingWhileTheScheduleIsPausedOrDisabled) {
    sweep();
    for (int i = 40; i < 45; ++i) made(world_.now - i * kDay);
    world_.now += 2 * kPruneEveryMs;
    for (const bool paused : {true, false}) {
        schedule_.paused = paused;
        schedule_.enabled = paused;
        save();
        sweep();
        prune();
        EXPECT_TRUE(removed().empty());
    }
}

TEST_F(Prune, KeepsWhatAJobWorksWith) {
    made(world_.now);
    made(world_.now - kDay);
    const std::string used = made(world_.now - 50 * kDay);
    NewJob job;
    job.kind = "verify";
    job.agent_id = world_.agent.id;
    job.operation.id = new_ordered_uuid();
    job.operation.kind = operations::Kind::verification;
    job.operation.organization_id = world_.organization_id;
    job.operation.backup_id = used;
    ASSERT_TRUE(enqueue(world_.db(), job, world_.now, world_.stir));
    prune();
    EXPECT_TRUE(removed().empty());
    ASSERT_TRUE(cancel_job(world_.db(), job.operation.id, world_.now, world_.stir));
    prune();
    EXPECT_EQ(removed(), std::set<std::string>{used});
}

TEST_F(Prune, GoesOnInTheNextSweepWhereThereIsMuchToRemove) {
    sweep();
    made(world_.now);
    for (int i = 0; i < 250; ++i) made(world_.now - (50 + i) * kDay);
    world_.now += kHour;
    made(world_.now - 1);
    sweep();
    EXPECT_EQ(removed().size(), 100U);
    sweep();
    sweep();
    EXPECT_EQ(removed().size(), 250U);
}

TEST_F(Prune, WritesDownWhatItDidAndWhy) {
    made(world_.now);
    made(world_.now - kDay);
    const std::string old = made(world_.now - 50 * kDay);
    prune();
    auto rows = world_.db().query("SELECT actor, action, detail FROM audit WHERE object_id = $1", {old});
    ASSERT_TRUE(rows->step().value());
    EXPECT_EQ(rows->text(0), "system");
    EXPECT_EQ(rows->text(1), "backup.prune");
    EXPECT_THAT(rows->text(2), ::testing::StartsWith("tier_count_exceeded"));
}

}  // namespace
}  // namespace backstay::dispatch
