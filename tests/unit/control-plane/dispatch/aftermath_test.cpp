// What ended operations change around them.
#include <gmock/gmock.h>

#include "control-plane/operations/lifecycle.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using operations::Kind;

std::string enqueue_one(World& world, const std::string& kind, Kind what, const std::string& backup,
                        const std::string& subject = "", const OperationPlan& plan = {}) {
    NewJob job;
    job.kind = kind;
    job.agent_id = world.agent.id;
    job.operation.id = new_ordered_uuid();
    job.operation.kind = what;
    job.operation.organization_id = world.organization_id;
    job.operation.environment_id = world.environment.id;
    if (!backup.empty()) job.operation.backup_id = backup;
    job.operation.subject = subject;
    job.operation.plan = plan;
    EXPECT_TRUE(enqueue(world.db(), job, world.now, world.stir));
    EXPECT_EQ(world.ask(4).assignments.size(), 1U);
    world.send(world.report(job.operation.id, 1, 1, ReportKind::accepted));
    return job.operation.id;
}

void finish_job(World& world, const std::string& job, std::int64_t seq, JobOutcome outcome,
                const std::string& message = "") {
    Report last = world.report(job, 1, seq, ReportKind::finished);
    last.finished.emplace();
    last.finished->outcome = outcome;
    last.finished->error_message = message;
    EXPECT_FALSE(world.send(last).refused);
}

std::string made_backup(World& world) {
    const std::string id = world.order_backup();
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    world.testify(id, 1, 1, plan_backup("full", {"d1"}, false));
    return id;
}

std::string add_restore(World& world, const std::string& backup) {
    RestoreShape shape;
    shape.safety_backup = false;
    shape.neutralize = true;
    const OperationPlan plan = plan_restore(shape);
    const std::string id = enqueue_one(world, "restore", Kind::restore, backup, "", plan);
    operations::RestoreRow row;
    row.id = id;
    row.organization_id = world.organization_id;
    row.backup_id = backup;
    row.target_environment_id = world.environment.id;
    row.agent_id = world.agent.id;
    row.target_type = "other";
    row.scope = "all";
    row.created_at = world.now;
    row.performed_by = "someone";
    EXPECT_TRUE(operations::insert_restore(world.db(), row));
    world.testify(id, 1, 1, plan);
    return id;
}

TEST(Aftermath, OfARestoreTellsWhetherTheEnvironmentIsNeutralized) {
    World world;
    const std::string restore = add_restore(world, made_backup(world));
    const auto row = operations::find_restore_row(world.db(), restore).value().value();
    EXPECT_EQ(row.status, "completed");
    EXPECT_EQ(row.keep_until, world.now + RestoreOrder{}.keep_previous_ms);
    const auto target = store::Environments(world.db()).find(world.organization_id, world.environment.id).value();
    EXPECT_TRUE(target->is_neutralized);
}

TEST(Aftermath, OfAnUndoRevertsTheRestore) {
    World world;
    const std::string restore = add_restore(world, made_backup(world));
    const std::string undo = enqueue_one(world, "undo", Kind::undo, "", restore);
    finish_job(world, undo, 2, JobOutcome::succeeded);
    const auto row = operations::find_restore_row(world.db(), restore).value().value();
    EXPECT_EQ(row.status, "reverted");
    EXPECT_EQ(row.undone_at, world.now);
    EXPECT_FALSE(row.error_message.has_value());
}

TEST(Aftermath, OfAFailedUndoLeavesTheRestoreAsItWas) {
    World world;
    const std::string restore = add_restore(world, made_backup(world));
    finish_job(world, enqueue_one(world, "undo", Kind::undo, "", restore), 2, JobOutcome::failed, "nothing is kept");
    EXPECT_EQ(operations::find_restore_row(world.db(), restore).value()->status, "completed");
}

TEST(Aftermath, OfAVerificationDatesTheBackup) {
    World world;
    const std::string backup = made_backup(world);
    world.now += kHour;
    const OperationPlan plan = plan_verification(false);
    const std::string verification = enqueue_one(world, "verify", Kind::verification, backup, "", plan);
    std::int64_t seq = 1;
    for (const StepPlan& planned : plan.steps) {
        Report step = world.report(verification, 1, ++seq, ReportKind::step);
        step.step.emplace();
        step.step->name = planned.name;
        step.step->status = StepStatus::completed;
        step.step->proofs = plan.required_proofs;
        world.send(step);
    }
    finish_job(world, verification, ++seq, JobOutcome::succeeded);
    EXPECT_EQ(world.backup(backup).verified_at, world.now);
}

TEST(Aftermath, OfACopyThatWasNeverPlannedCountsFromNowOn) {
    World world;
    const std::string backup = made_backup(world);
    const std::string copy = enqueue_one(world, "copy", Kind::copy, backup);
    std::int64_t seq = 1;
    for (const char* name : {"db", "filestore", "config", "manifest"}) {
        Report copied = world.report(copy, 1, ++seq, ReportKind::copy);
        copied.copy =
            CopyRecord{"d9", name, CopyState::verified, std::string("f/") + name, std::string(64, 'b'), 1, "", ""};
        world.send(copied);
    }
    finish_job(world, copy, ++seq, JobOutcome::succeeded);
    const auto operation = operations::find_operation(world.db(), backup).value().value();
    EXPECT_THAT(operation.plan.destination_ids, ::testing::ElementsAre("d1", "d9"));
    EXPECT_EQ(world.evidence(backup).remote_copy_state, "verified");
}

TEST(Aftermath, OfADeletionThatFailsKeepsTheRowAndItsReason) {
    World world;
    const std::string backup = made_backup(world);
    finish_job(world, enqueue_one(world, "delete", Kind::deletion, backup), 2, JobOutcome::failed,
               "objects are locked");
    EXPECT_EQ(world.backup(backup).error_message, "deletion: objects are locked");
    EXPECT_FALSE(world.backup(backup).deleted_at.has_value());
}

TEST(Aftermath, ReportsThatSayLessLeaveKeysAndChecksumsAsTheyAre) {
    World world;
    const std::string backup = made_backup(world);
    const std::string verification = enqueue_one(world, "verify", Kind::verification, backup);
    Report looked = world.report(verification, 1, 2, ReportKind::copy);
    looked.copy = CopyRecord{"d1", "db", CopyState::missing, "", "", 0, "not there", "remote_missing"};
    world.send(looked);
    const auto copies = operations::copies_of(world.db(), backup).value();
    for (const CopyRecord& copy : copies) {
        EXPECT_FALSE(copy.key.empty());
        EXPECT_EQ(copy.sha256.size(), 64U);
    }
    EXPECT_EQ(world.evidence(backup).reason, "remote_missing");
    EXPECT_EQ(world.backup(backup).status, "failed");
}

}  // namespace
}  // namespace backstay::dispatch
