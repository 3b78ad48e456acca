#include "common/domain/steps.h"

#include <gmock/gmock.h>

namespace backstay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

std::vector<std::string> names(const OperationPlan& plan, bool required) {
    std::vector<std::string> out;
    for (const StepPlan& step : plan.steps) {
        if (step.required == required) out.push_back(step.name);
    }
    return out;
}

// The required steps, in the order of semantics 4.3.
TEST(PlanBackup, RequiresTheStepsOfTheContractInOrder) {
    EXPECT_THAT(names(plan_backup("db", {"a"}, false), true),
                ElementsAre("preflight", "db_dump", "config_capture", "artifact_checksums", "manifest_write",
                            "local_verify", "remote_upload", "remote_verify", "catalog_commit"));
    EXPECT_THAT(names(plan_backup("full", {"a"}, false), true),
                ElementsAre("preflight", "db_dump", "filestore_archive", "filestore_reconcile", "config_capture",
                            "artifact_checksums", "manifest_write", "local_verify", "remote_upload", "remote_verify",
                            "catalog_commit"));
}

TEST(PlanBackup, NamesAStepForEachOfSeveralDestinations) {
    EXPECT_THAT(names(plan_backup("db", {"a", "b"}, false), false), ElementsAre("remote_upload:a", "remote_upload:b"));
    EXPECT_THAT(names(plan_backup("db", {"a"}, false), false), ElementsAre());
}

TEST(PlanBackup, OwesAProofForEachArtifact) {
    const OperationPlan db = plan_backup("db", {"a"}, false);
    EXPECT_THAT(db.artifacts, ElementsAre("db", "config", "manifest"));
    EXPECT_THAT(db.required_proofs, Not(Contains("filestore:reconciled")));
    const OperationPlan full = plan_backup("full", {"a"}, true);
    EXPECT_THAT(full.artifacts, ElementsAre("db", "filestore", "config", "globals", "manifest"));
    for (const std::string& name : full.artifacts) {
        EXPECT_THAT(full.required_proofs, Contains("artifact:" + name));
        EXPECT_THAT(full.required_proofs, Contains("checksum:" + name));
    }
    EXPECT_THAT(full.required_proofs, Contains("filestore:reconciled"));
}

TEST(PlanBackup, WeighsAHundred) {
    for (const std::string scope : {"db", "full"}) {
        std::int32_t sum = 0;
        for (const StepPlan& step : plan_backup(scope, {"a", "b"}, true).steps) sum += step.weight;
        EXPECT_EQ(sum, 100) << scope;
    }
}

TEST(PlanBaseBackup, RequiresTheStepsOfTheContractAndProvesItsWal) {
    const OperationPlan plan = plan_base_backup({"a", "b"}, true);
    EXPECT_THAT(names(plan, true), ElementsAre("preflight", "base_backup", "wal_continuity", "artifact_checksums",
                                               "manifest_write", "remote_upload", "remote_verify", "catalog_commit"));
    EXPECT_THAT(names(plan, false), ElementsAre("remote_upload:a", "remote_upload:b", "wal_prune"));
    EXPECT_THAT(plan.artifacts, ElementsAre("base", "backup_manifest", "manifest"));
    EXPECT_THAT(plan.required_proofs, Contains("wal:continuous"));
    std::int32_t sum = 0;
    for (const StepPlan& step : plan.steps) sum += step.weight;
    EXPECT_EQ(sum, 100);
}

TEST(PlanRestore, TakesAMomentFromABaseBackupAndItsWal) {
    RestoreShape shape;
    shape.pitr = true;
    const OperationPlan plan = plan_restore(shape);
    EXPECT_THAT(names(plan, true),
                ElementsAre("validate_target", "fetch_artifacts", "verify_artifacts", "fetch_base", "fetch_wal",
                            "replay_to_target", "extract_database", "safety_backup", "restore_database",
                            "restore_filestore", "post_restore_checks", "swap_in", "catalog_commit"));
    EXPECT_THAT(plan.required_proofs, Contains("pitr:target_reached"));
    // The files alone have no WAL.
    shape.scope = "filestore";
    EXPECT_THAT(names(plan_restore(shape), true), Not(Contains("replay_to_target")));
}

TEST(PlanRestore, StopsTheRunningOdooOnlyForTheSwap) {
    RestoreShape shape;
    shape.neutralize = shape.new_uuid = shape.managed_service = shape.health_check = true;
    shape.keep_previous = false;
    const OperationPlan plan = plan_restore(shape);
    EXPECT_THAT(names(plan, true), ElementsAre("validate_target", "fetch_artifacts", "verify_artifacts",
                                               "safety_backup", "restore_database", "restore_filestore",
                                               "post_restore_checks", "neutralize", "reset_dbuuid", "stop_instance",
                                               "swap_in", "start_instance", "health_check", "catalog_commit"));
    EXPECT_THAT(names(plan, false), ElementsAre("cleanup_previous"));
    EXPECT_THAT(plan.required_proofs, Contains("health:http_200"));
    EXPECT_THAT(plan.required_proofs, Contains("neutralize:report"));
    EXPECT_TRUE(plan.destination_ids.empty());
}

TEST(PlanRestore, LeavesOutWhatTheScopeDoesNotTouch) {
    RestoreShape shape;
    shape.scope = "filestore";
    shape.neutralize = shape.new_uuid = true;
    shape.safety_backup = false;
    EXPECT_THAT(names(plan_restore(shape), true),
                ElementsAre("validate_target", "fetch_artifacts", "verify_artifacts", "restore_filestore",
                            "post_restore_checks", "swap_in", "catalog_commit"));
    shape.scope = "db";
    EXPECT_THAT(names(plan_restore(shape), true), Not(Contains("restore_filestore")));
    shape.scope = "all";
    shape.with_filestore = false;
    EXPECT_THAT(names(plan_restore(shape), true), Not(Contains("restore_filestore")));
}

TEST(PlanSnapshot, IsProvenOnTheHostAndCopiedAfterwards) {
    const OperationPlan local = plan_snapshot({});
    EXPECT_THAT(names(local, true),
                ElementsAre("preflight", "resolve_filestore_base", "db_dump", "filestore_capture", "config_capture",
                            "artifact_checksums", "manifest_write", "local_verify", "catalog_commit"));
    EXPECT_TRUE(names(local, false).empty());
    EXPECT_THAT(names(plan_snapshot({"d"}), false), ElementsAre("remote_upload", "remote_verify"));
    EXPECT_THAT(plan_snapshot({"d"}).required_proofs, Contains("filestore:reconciled"));
    EXPECT_TRUE(plan_snapshot({"d"}).destination_ids.empty()) << "a copy elsewhere is no part of the proof";
}

TEST(PlanRollback, AsksForWhatTheRequestNeeds) {
    RollbackShape shape;
    EXPECT_THAT(names(plan_rollback(shape), true),
                ElementsAre("validate_snapshot", "verify_artifacts", "safety_snapshot", "restore_database",
                            "restore_filestore", "post_restore_checks", "swap_in", "catalog_commit"));
    shape.safety_snapshot = false;
    shape.neutralize = shape.new_uuid = shape.managed_service = shape.health_check = true;
    EXPECT_THAT(names(plan_rollback(shape), true),
                ElementsAre("validate_snapshot", "verify_artifacts", "restore_database", "restore_filestore",
                            "post_restore_checks", "neutralize", "reset_dbuuid", "stop_instance", "swap_in",
                            "start_instance", "health_check", "catalog_commit"));
    EXPECT_THAT(plan_rollback(shape).required_proofs, Contains("health:http_200"));
}

TEST(PlanVerification, DrillsOnlyWhenAsked) {
    EXPECT_THAT(names(plan_verification(false), true),
                ElementsAre("fetch_artifacts", "verify_artifacts", "structure_check"));
    EXPECT_THAT(names(plan_verification(true), true),
                ElementsAre("fetch_artifacts", "verify_artifacts", "structure_check", "scratch_restore",
                            "content_checks", "neutralize", "scratch_drop"));
    EXPECT_THAT(plan_verification(true).required_proofs, Contains("restore:row_counts"));
}

}  // namespace
}  // namespace backstay
