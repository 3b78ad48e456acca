#include "control-plane/own-backup/forget.h"

#include <gtest/gtest.h>

#include "control-plane/store/removal_hold.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::own_backup {
namespace {

class Forgetting : public ::testing::Test {
protected:
    Forgotten forget() {
        auto transaction = sql::Transaction::begin(world_.db());
        auto done = forget_unfinished(*transaction, world_.now - 1000, world_.now);
        EXPECT_TRUE(done) << done.error().message();
        EXPECT_TRUE(transaction->commit());
        return *done;
    }
    std::string order_restore() {
        dispatch::NewJob job;
        job.kind = "restore";
        job.agent_id = world_.agent.id;
        job.order = json::encode(RestoreOrder{}).as_object();
        job.operation.id = new_uuid();
        job.operation.kind = operations::Kind::restore;
        job.operation.organization_id = world_.organization_id;
        job.operation.environment_id = world_.environment.id;
        job.operation.performed_by = "someone";
        EXPECT_TRUE(dispatch::enqueue(world_.db(), job, world_.now, world_.stir));
        return job.operation.id;
    }
    std::int64_t count(const std::string& sql) {
        auto rows = world_.db().query(sql);
        EXPECT_TRUE(rows);
        EXPECT_TRUE(rows->step().value());
        return rows->integer(0);
    }

    dispatch::World world_;
};

TEST_F(Forgetting, LeavesNoTraceOfABackupThatMayHaveBeenMadeSince) {
    world_.order_backup();
    EXPECT_EQ(forget().unmade, 1);
    EXPECT_EQ(count("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM backups) + (SELECT count(*) FROM "
                    "operations) + (SELECT count(*) FROM copies)"),
              0);
    EXPECT_TRUE(world_.ask().assignments.empty());
}

TEST_F(Forgetting, NeverBeginsARestoreASecondTime) {
    const std::string id = order_restore();
    EXPECT_EQ(forget().stopped, 1);
    EXPECT_TRUE(world_.ask().assignments.empty());
    const auto operation = operations::find_operation(world_.db(), id).value().value();
    EXPECT_EQ(operation.status, "failed");
    EXPECT_NE(operation.failure.find("earlier state"), std::string::npos);
    EXPECT_EQ(forget().stopped, 0);
}

TEST_F(Forgetting, EndsWhatAnAgentHadBegunByItself) {
    dispatch::Report report = world_.report("own", 0, 1, dispatch::ReportKind::declared);
    json::Object order;
    order["verificationId"] = "own";
    order["backupId"] = "b";
    report.declared = control_plane::JobDeclaration{"verify", order, "socket"};
    ASSERT_FALSE(world_.send(report).refused);
    EXPECT_EQ(forget().alone, 1);
    EXPECT_EQ(count("SELECT count(*) FROM jobs WHERE state <> 'finished'"), 0);
    EXPECT_EQ(count("SELECT count(*) FROM operations WHERE status IN ('pending', 'running')"), 0);
}

TEST_F(Forgetting, HoldsRemovalsAndEndsWhatMayHaveBeenUsedSince) {
    ASSERT_TRUE(world_.db().run(
        "INSERT INTO enroll_tokens (id, organization_id, name, token_hash, created_by, created_at, expires_at) VALUES "
        "('t', $1, '', 'h', 'me', 1, $2)",
        {world_.organization_id, world_.now + 1'000'000}));
    EXPECT_EQ(forget().tokens, 1);
    EXPECT_EQ(store::removals_held_until(world_.db(), world_.now).value(), world_.now + store::kRemovalHoldMs);
    EXPECT_FALSE(store::removals_held_until(world_.db(), world_.now + store::kRemovalHoldMs).value());
    EXPECT_TRUE(store::release_removals(world_.db(), world_.now).value());
    EXPECT_FALSE(store::removals_held_until(world_.db(), world_.now).value());
}

TEST_F(Forgetting, AsksToTellAgainFromBeforeTheBackup) {
    EXPECT_EQ(forget().tell_since, world_.now - 1000 - 24LL * 3600 * 1000);
    world_.now += 48LL * 3600 * 1000;
    const TimeMs ordered = world_.now - 40LL * 3600 * 1000;
    world_.order_backup();
    ASSERT_TRUE(world_.db().run("UPDATE operations SET created_at = $1", {ordered}));
    EXPECT_EQ(forget().tell_since, ordered);
}

TEST_F(Forgetting, KeepsWhatHasEnded) {
    operations::BackupRow row;
    row.scope = "full";
    row.trigger_kind = "manual";
    row.status = "completed";
    world_.add_backup(row);
    EXPECT_EQ(forget().unmade, 0);
    EXPECT_EQ(count("SELECT count(*) FROM backups"), 1);
    EXPECT_EQ(count("SELECT count(*) FROM audit WHERE action = 'control_plane.restore'"), 1);
}

}  // namespace
}  // namespace backstay::own_backup
