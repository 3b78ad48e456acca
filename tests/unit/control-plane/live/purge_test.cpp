#include "control-plane/live/purge.h"

#include <gtest/gtest.h>

#include "control-plane/alerts/repository.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/idempotency.h"
#include "control-plane/store/schedules.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::live {
namespace {

using dispatch::Report;
using dispatch::ReportKind;
using dispatch::World;

constexpr TimeMs kDay = 24LL * 3600 * 1000;

class PurgeTest : public ::testing::Test {
protected:
    std::int64_t count(const std::string& what) {
        auto rows = world_.db().query("SELECT COUNT(*) FROM " + what);
        EXPECT_TRUE(rows) << rows.error().message();
        EXPECT_TRUE(rows->step());
        return rows->integer(0);
    }
    void run(const std::string& sql) {
        const auto done = world_.db().run(sql, {});
        EXPECT_TRUE(done) << done.error().message();
    }
    // Until there is nothing left to do; how many pieces it took.
    int purge(const RetentionSettings& keep = {}) {
        Purge purge(keep);
        for (int pieces = 1;; ++pieces) {
            const auto more = purge.some(world_.db(), world_.now);
            EXPECT_TRUE(more) << more.error().message();
            if (!more || !*more) return pieces;
        }
    }
    std::string made_backup() {
        const std::string id = world_.order_backup();
        world_.ask();
        world_.send(world_.report(id, 1, 1, ReportKind::accepted));
        world_.testify(id, 1, 1, plan_backup("full", {"d1"}, false));
        return id;
    }
    // The row again, so many times, under other ids.
    void multiply(const std::string& table, const std::string& other_columns, const std::string& id, int times) {
        run("WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < " +
            std::to_string(times) + ") INSERT INTO " + table + " (id, " + other_columns +
            ") SELECT 'more-' || number, " + other_columns + " FROM " + table + ", numbers WHERE id = '" + id + "'");
    }
    void mark_deleted(const std::string& id) {
        auto row = world_.backup(id);
        row.status = "deleted";
        row.deleted_at = world_.now;
        EXPECT_TRUE(operations::update_backup(world_.db(), row));
    }
    World world_;
};

TEST_F(PurgeTest, ForgetsTheAuditTrailAfterItsTimeInSmallPieces) {
    store::AuditEntry entry;
    entry.organization_id = world_.organization_id;
    entry.at = world_.now;
    for (int i = 0; i < 1100; ++i) ASSERT_TRUE(store::Audit(world_.db()).add(entry));
    world_.now += 400 * kDay;
    purge();
    EXPECT_EQ(count("audit"), 1100) << "400 days are not over";
    entry.at = world_.now;
    ASSERT_TRUE(store::Audit(world_.db()).add(entry));
    world_.now += 1;
    RetentionSettings keep;
    keep.audit_days = 0;
    purge(keep);
    EXPECT_EQ(count("audit"), 1101) << "0: for ever";
    EXPECT_EQ(purge(), 3) << "500 rows in one transaction";
    EXPECT_EQ(count("audit"), 1);
}

TEST_F(PurgeTest, ForgetsAlertsOfNinetyDaysUnlessTheirCauseGoesOn) {
    const auto raise = [&](std::string_view type, alerts::Severity severity) {
        alerts::Finding finding;
        finding.type = type;
        finding.severity = severity;
        finding.subject = "s";
        ASSERT_TRUE(alerts::Alerts(world_.db()).raise(world_.organization_id, finding, world_.now));
    };
    raise(alerts::type::kBackupFailed, alerts::Severity::critical);
    raise(alerts::type::kSnapshotFailed, alerts::Severity::warning);
    raise(alerts::type::kRestoreCompleted, alerts::Severity::info);
    ASSERT_TRUE(alerts::Alerts(world_.db())
                    .resolve(world_.organization_id, {std::string(alerts::type::kSnapshotFailed), "s", std::nullopt},
                             world_.now));
    world_.now += 90 * kDay;
    purge();
    EXPECT_EQ(count("alerts"), 3);
    world_.now += 1;
    purge();
    EXPECT_EQ(count("alerts"), 1) << "the failure was never made good nor dismissed";
}

TEST_F(PurgeTest, ForgetsTokensKeysAndAnswersThatAreOver) {
    const std::string organization = "'" + world_.organization_id + "'";
    const std::string now = std::to_string(world_.now);
    const auto token = [&](const std::string& id, const std::string& used) {
        run("INSERT INTO enroll_tokens (id, organization_id, name, token_hash, created_by, created_at, expires_at, "
            "used_at) "
            "VALUES ('" +
            id + "', " + organization + ", '', '" + id + "', 'x', " + now + ", " + now + " + 3600000, " + used + ")");
    };
    const auto key = [&](const std::string& id, const std::string& expires, const std::string& revoked) {
        run("INSERT INTO api_keys (id, organization_id, name, mode, prefix, key_hash, permissions, created_by, "
            "created_at, "
            "expires_at, revoked_at) VALUES ('" +
            id + "', " + organization + ", '', 'ro', '', '" + id + "', '', 'x', " + now + ", " + expires + ", " +
            revoked + ")");
    };
    token("used", now);
    token("expired", "NULL");
    key("kept", "NULL", "NULL");
    key("revoked", "NULL", now);
    key("over", now, "NULL");
    ASSERT_TRUE(store::Idempotency(world_.db()).keep("c", "k", {"h", 200, "b"}, world_.now));
    purge();
    EXPECT_EQ(count("enroll_tokens") + count("api_keys") + count("idempotency"), 6);
    world_.now += 2 * kDay;
    purge();
    EXPECT_EQ(count("idempotency"), 0);
    EXPECT_EQ(count("enroll_tokens") + count("api_keys"), 5);
    world_.now += 90 * kDay;
    purge();
    EXPECT_EQ(count("enroll_tokens"), 0);
    EXPECT_EQ(count("api_keys WHERE id = 'kept'"), 1);
    EXPECT_EQ(count("api_keys"), 1);
}

TEST_F(PurgeTest, ForgetsWhatBecameOfDueMomentsWithTheOperations) {
    store::ScheduleRun run;
    run.environment_id = world_.environment.id;
    run.scope = "db";
    run.outcome = "missed";
    run.decided_at = world_.now;
    ASSERT_TRUE(store::Schedules(world_.db()).add_run(run));
    world_.now += 400 * kDay;
    purge();
    EXPECT_EQ(count("schedule_runs"), 1);
    world_.now += 1;
    purge();
    EXPECT_EQ(count("schedule_runs"), 0);
}

TEST_F(PurgeTest, KeepsWhatABackupIsJudgedByAsLongAsItExists) {
    const std::string id = made_backup();
    const std::int64_t steps = count("steps");
    ASSERT_GT(steps, 5);
    world_.now += 1000 * kDay;
    purge();
    EXPECT_EQ(count("steps"), steps);
    EXPECT_EQ(world_.evidence(id).status, "green");
    auto operation = operations::find_operation(world_.db(), id).value().value();
    EXPECT_TRUE(operations::refresh(world_.db(), operation, world_.now));
    EXPECT_EQ(world_.evidence(id).status, "green");
}

TEST_F(PurgeTest, ForgetsStepsFirstAndTheOperationOfADeletedBackupLater) {
    const std::string id = made_backup();
    mark_deleted(id);
    world_.now += 91 * kDay;
    purge();
    EXPECT_EQ(count("steps"), 0);
    EXPECT_EQ(count("jobs"), 0);
    EXPECT_EQ(count("progress_events"), 1) << "how it ended is still told";
    const auto operation = operations::find_operation(world_.db(), id).value().value();
    EXPECT_EQ(operation.steps_purged_at, world_.now);
    EXPECT_EQ(world_.evidence(id).status, "green") << "the verdict stays";
    EXPECT_EQ(purge(), 1);
    world_.now += 310 * kDay;
    purge();
    EXPECT_EQ(count("operations") + count("backups") + count("copies") + count("progress_events"), 0);
}

TEST_F(PurgeTest, GoesThroughWhatIsKeptPieceByPieceOnceADay) {
    const std::string id = made_backup();
    multiply("backups",
             "organization_id, environment_id, agent_id, scope, trigger_kind, status, retention, folder, created_at, "
             "completed_at, size_bytes, database_bytes, filestore_bytes, performed_by",
             id, 2300);
    multiply("operations",
             "kind, organization_id, environment_id, job_id, plan, phase, status, failure, failure_reason, reverted, "
             "notes, evidence, event_id, performed_by, created_at, completed_at, subject",
             id, 2300);
    Purge purge({});
    world_.now += 91 * kDay;
    EXPECT_TRUE(purge.some(world_.db(), world_.now).value()) << "a thousand";
    EXPECT_TRUE(purge.some(world_.db(), world_.now).value()) << "two thousand";
    EXPECT_FALSE(purge.some(world_.db(), world_.now).value());
    const std::int64_t steps = count("steps");
    ASSERT_GT(steps, 5);
    mark_deleted(id);
    world_.now += kDay - 1;
    EXPECT_FALSE(purge.some(world_.db(), world_.now).value());
    EXPECT_EQ(count("steps"), steps) << "a day is not over";
    world_.now += 1;
    while (purge.some(world_.db(), world_.now).value()) continue;
    EXPECT_EQ(count("steps"), 0);
    EXPECT_EQ(count("operations"), 2301);
}

TEST_F(PurgeTest, FindsAllThatEndedAtOneMoment) {
    const std::string id = made_backup();
    multiply("operations",
             "kind, organization_id, environment_id, job_id, plan, phase, status, failure, failure_reason, reverted, "
             "notes, evidence, event_id, performed_by, created_at, completed_at, subject",
             id, 1234);
    mark_deleted(id);
    world_.now += 401 * kDay;
    EXPECT_EQ(purge(), 13) << "a hundred in one transaction";
    EXPECT_EQ(count("operations"), 0);
}

TEST_F(PurgeTest, LooksAgainBeforeItForgets) {
    const std::string id = made_backup();
    const std::string columns =
        "organization_id, environment_id, agent_id, scope, trigger_kind, status, retention, folder, created_at, "
        "completed_at, size_bytes, database_bytes, filestore_bytes, performed_by, deleted_at";
    mark_deleted(id);
    multiply("backups", columns, id, 1);
    multiply("operations",
             "kind, organization_id, environment_id, job_id, plan, phase, status, failure, failure_reason, reverted, "
             "notes, evidence, event_id, performed_by, created_at, completed_at, subject",
             id, 1);
    // As an agent that tells of a backup which nobody knew to be there, between the look and the lock.
    const std::string finding = "UPDATE backups SET deleted_at = NULL WHERE id = 'more-1';";
    if (testing::on_postgres()) {
        run("CREATE FUNCTION found() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN " + finding +
            " RETURN NULL; END $body$");
        run("CREATE TRIGGER found AFTER DELETE ON steps FOR EACH ROW EXECUTE FUNCTION found()");
    } else {
        run("CREATE TRIGGER found AFTER DELETE ON steps BEGIN " + finding + " END");
    }
    world_.now += 500 * kDay;
    purge();
    EXPECT_EQ(count("operations WHERE id = 'more-1'"), 1);
    EXPECT_EQ(count("operations"), 1);
}

TEST_F(PurgeTest, KeepsForEverWhatHasNoDays) {
    const std::string id = made_backup();
    mark_deleted(id);
    const std::int64_t steps = count("steps");
    world_.now += 5000 * kDay;
    RetentionSettings keep;
    keep.steps_days = keep.operations_days = 0;
    purge(keep);
    EXPECT_EQ(count("steps"), steps);
    keep.operations_days = 400;
    world_.now -= 4800 * kDay;
    purge(keep);
    EXPECT_EQ(count("steps"), steps) << "200 days";
    world_.now += 4800 * kDay;
    keep = {};
    keep.operations_days = 0;
    purge(keep);
    EXPECT_EQ(count("steps"), 0);
    EXPECT_EQ(count("operations"), 1);
    keep.steps_days = 0;
    keep.operations_days = 400;
    purge(keep);
    EXPECT_EQ(count("operations"), 0);
}

TEST_F(PurgeTest, AClockThatWasSetBackDoesNotKeepItFromLooking) {
    const std::string id = made_backup();
    world_.now += 500 * kDay;
    Purge purge({});
    while (purge.some(world_.db(), world_.now).value()) continue;
    mark_deleted(id);
    world_.now -= 30 * kDay;
    while (purge.some(world_.db(), world_.now).value()) continue;
    EXPECT_EQ(count("operations"), 0);
}

TEST_F(PurgeTest, LeavesWhatRunsAndRestoresThatCanBeUndone) {
    const std::string id = made_backup();  // its row stands for a restore's operation
    const std::string running = world_.order_backup();
    world_.ask();
    world_.send(world_.report(running, 1, 1, ReportKind::accepted));
    mark_deleted(id);
    operations::RestoreRow restore;
    restore.id = id;
    restore.organization_id = world_.organization_id;
    restore.agent_id = world_.agent.id;
    restore.keep_until = world_.now + 500 * kDay;
    ASSERT_TRUE(operations::insert_restore(world_.db(), restore));
    const std::int64_t steps = count("steps");
    world_.now += 450 * kDay;
    purge();
    EXPECT_EQ(count("steps"), steps);
    EXPECT_EQ(count("operations"), 2);
    world_.now += 51 * kDay;
    purge();
    EXPECT_EQ(count("operations"), 1) << "the running one";
    EXPECT_EQ(count("restores"), 0);
    EXPECT_EQ(count("jobs"), 1);
}

TEST_F(PurgeTest, LeavesSnapshotsThatExistAndRollbacksWhosePreviousPairIsKept) {
    const std::string id = made_backup();  // its row stands for the operation of either
    mark_deleted(id);
    operations::SnapshotRow snapshot;
    snapshot.id = id;
    snapshot.organization_id = world_.organization_id;
    snapshot.agent_id = world_.agent.id;
    ASSERT_TRUE(operations::insert_snapshot(world_.db(), snapshot));
    const std::int64_t steps = count("steps");
    world_.now += 1000 * kDay;
    purge();
    EXPECT_EQ(count("steps"), steps) << "the snapshot is judged by them";
    snapshot.deleted_at = world_.now;
    ASSERT_TRUE(operations::update_snapshot(world_.db(), snapshot));
    operations::RollbackRow rollback;
    rollback.id = id;
    rollback.organization_id = world_.organization_id;
    rollback.agent_id = world_.agent.id;
    rollback.keep_until = world_.now + kDay;
    ASSERT_TRUE(operations::insert_rollback(world_.db(), rollback));
    purge();
    EXPECT_EQ(count("steps"), steps);
    world_.now += 2 * kDay;
    purge();
    EXPECT_EQ(count("steps") + count("snapshots") + count("rollbacks") + count("operations"), 0);
}

}  // namespace
}  // namespace backstay::live
