#include "common/domain/steps.h"

namespace backstay {
namespace {

StepPlan required(std::string_view name, std::int32_t weight) { return {std::string(name), true, weight}; }
StepPlan optional_step(std::string name, std::int32_t weight) { return {std::move(name), false, weight}; }

}  // namespace

OperationPlan plan_backup(std::string_view scope, const std::vector<std::string>& destination_ids, bool with_globals) {
    const bool full = scope == "full";
    OperationPlan plan;
    plan.operation = Operation::backup;
    plan.destination_ids = destination_ids;
    plan.artifacts.emplace_back(artifact::kDatabase);
    if (full) plan.artifacts.emplace_back(artifact::kFilestore);
    plan.artifacts.emplace_back(artifact::kConfig);
    if (with_globals) plan.artifacts.emplace_back(artifact::kGlobals);
    plan.artifacts.emplace_back(artifact::kManifest);

    // Upload streams while the dump runs, so dump and archive carry most of the bar.
    plan.steps = {required(step::kPreflight, 2), required(step::kDbDump, full ? 40 : 71)};
    if (full) {
        plan.steps.push_back(required(step::kFilestoreArchive, 30));
        plan.steps.push_back(required(step::kFilestoreReconcile, 1));
    }
    plan.steps.push_back(required(step::kConfigCapture, 1));
    plan.steps.push_back(required(step::kArtifactChecksums, 1));
    plan.steps.push_back(required(step::kManifestWrite, 1));
    plan.steps.push_back(required(step::kLocalVerify, 2));
    plan.steps.push_back(required(step::kRemoteUpload, 5));
    if (destination_ids.size() > 1) {
        for (const std::string& id : destination_ids) {
            plan.steps.push_back(optional_step(std::string(step::kRemoteUpload) + ":" + id, 0));
        }
    }
    plan.steps.push_back(required(step::kRemoteVerify, 14));
    plan.steps.push_back(required(step::kCatalogCommit, 3));

    for (const std::string& name : plan.artifacts) plan.required_proofs.push_back("artifact:" + name);
    for (const std::string& name : plan.artifacts) plan.required_proofs.push_back("checksum:" + name);
    plan.required_proofs.emplace_back("db_toc:entries");
    if (full) plan.required_proofs.emplace_back("filestore:reconciled");
    plan.required_proofs.emplace_back("manifest:readback");
    plan.required_proofs.emplace_back("catalog:row");
    return plan;
}

OperationPlan plan_base_backup(const std::vector<std::string>& destination_ids, bool prunes) {
    OperationPlan plan;
    plan.operation = Operation::backup;
    plan.destination_ids = destination_ids;
    for (const std::string_view name : {artifact::kBase, artifact::kBackupManifest, artifact::kManifest}) {
        plan.artifacts.emplace_back(name);
    }
    plan.steps = {required(step::kPreflight, 2),     required(step::kBaseBackup, 72),
                  required(step::kWalContinuity, 3), required(step::kArtifactChecksums, 1),
                  required(step::kManifestWrite, 1), required(step::kRemoteUpload, 5)};
    if (destination_ids.size() > 1) {
        for (const std::string& id : destination_ids) {
            plan.steps.push_back(optional_step(std::string(step::kRemoteUpload) + ":" + id, 0));
        }
    }
    plan.steps.push_back(required(step::kRemoteVerify, 12));
    plan.steps.push_back(required(step::kCatalogCommit, 3));
    if (prunes) plan.steps.push_back(optional_step(std::string(step::kWalPrune), 1));
    for (const std::string& name : plan.artifacts) plan.required_proofs.push_back("artifact:" + name);
    for (const std::string& name : plan.artifacts) plan.required_proofs.push_back("checksum:" + name);
    for (const char* proof : {"wal:continuous", "manifest:readback", "catalog:row"}) {
        plan.required_proofs.emplace_back(proof);
    }
    return plan;
}

OperationPlan plan_restore(const RestoreShape& shape) {
    const bool database = shape.scope != "filestore";
    const bool filestore = shape.scope != "db" && shape.with_filestore;
    OperationPlan plan;
    plan.operation = Operation::restore;
    const bool pitr = database && shape.pitr;
    plan.steps = {required(step::kValidateTarget, 2), required(step::kFetchArtifacts, 2),
                  required(step::kVerifyArtifacts, pitr ? 1 : 10)};
    if (pitr) {
        plan.steps.push_back(required(step::kFetchBase, 15));
        plan.steps.push_back(required(step::kFetchWal, 2));
        plan.steps.push_back(required(step::kReplayToTarget, 25));
        plan.steps.push_back(required(step::kExtractDatabase, 10));
    }
    if (shape.safety_backup) plan.steps.push_back(required(step::kSafetyBackup, 20));
    // The new pair is prepared beside the running Odoo; only swap_in needs it stopped.
    if (database) plan.steps.push_back(required(step::kRestoreDatabase, 40));
    if (filestore) plan.steps.push_back(required(step::kRestoreFilestore, 15));
    plan.steps.push_back(required(step::kPostRestoreChecks, 3));
    if (database && shape.neutralize) plan.steps.push_back(required(step::kNeutralize, 2));
    if (database && shape.new_uuid) plan.steps.push_back(required(step::kResetDbuuid, 1));
    if (shape.managed_service) plan.steps.push_back(required(step::kStopInstance, 1));
    plan.steps.push_back(required(step::kSwapIn, 1));
    if (shape.managed_service) plan.steps.push_back(required(step::kStartInstance, 1));
    if (shape.health_check) plan.steps.push_back(required(step::kHealthCheck, 1));
    plan.steps.push_back(required(step::kCatalogCommit, 1));
    if (!shape.keep_previous) plan.steps.push_back(optional_step(std::string(step::kCleanupPrevious), 1));

    if (shape.safety_backup) plan.required_proofs.emplace_back("safety_backup:id");
    if (pitr) plan.required_proofs.emplace_back("wal:continuous");
    if (pitr) plan.required_proofs.emplace_back("pitr:target_reached");
    if (database) plan.required_proofs.emplace_back("restore:row_counts");
    if (filestore) plan.required_proofs.emplace_back("filestore:reconciled");
    if (database && shape.neutralize) plan.required_proofs.emplace_back("neutralize:report");
    if (shape.health_check) plan.required_proofs.emplace_back("health:http_200");
    plan.required_proofs.emplace_back("catalog:row");
    return plan;
}

OperationPlan plan_snapshot(const std::vector<std::string>& destination_ids) {
    OperationPlan plan;
    plan.operation = Operation::snapshot;
    for (const std::string_view name :
         {artifact::kDatabase, artifact::kFilestore, artifact::kConfig, artifact::kManifest}) {
        plan.artifacts.emplace_back(name);
    }
    plan.steps = {required(step::kPreflight, 2),     required(step::kResolveFilestoreBase, 3),
                  required(step::kDbDump, 60),       required(step::kFilestoreCapture, 25),
                  required(step::kConfigCapture, 1), required(step::kArtifactChecksums, 1),
                  required(step::kManifestWrite, 1), required(step::kLocalVerify, 4),
                  required(step::kCatalogCommit, 1)};
    if (!destination_ids.empty()) {
        plan.steps.push_back(optional_step(std::string(step::kRemoteUpload), 1));
        plan.steps.push_back(optional_step(std::string(step::kRemoteVerify), 1));
    }
    for (const std::string& name : plan.artifacts) plan.required_proofs.push_back("artifact:" + name);
    for (const std::string& name : plan.artifacts) plan.required_proofs.push_back("checksum:" + name);
    for (const char* proof : {"db_toc:entries", "filestore:reconciled", "manifest:readback", "catalog:row"}) {
        plan.required_proofs.emplace_back(proof);
    }
    return plan;
}

OperationPlan plan_rollback(const RollbackShape& shape) {
    OperationPlan plan;
    plan.operation = Operation::rollback;
    plan.steps = {required(step::kValidateSnapshot, 2), required(step::kVerifyArtifacts, 10)};
    if (shape.safety_snapshot) plan.steps.push_back(required(step::kSafetySnapshot, 20));
    // As in a restore: the new pair is prepared beside the running Odoo.
    plan.steps.push_back(required(step::kRestoreDatabase, 40));
    if (shape.with_filestore) plan.steps.push_back(required(step::kRestoreFilestore, 15));
    plan.steps.push_back(required(step::kPostRestoreChecks, 3));
    if (shape.neutralize) plan.steps.push_back(required(step::kNeutralize, 2));
    if (shape.new_uuid) plan.steps.push_back(required(step::kResetDbuuid, 1));
    if (shape.managed_service) plan.steps.push_back(required(step::kStopInstance, 1));
    plan.steps.push_back(required(step::kSwapIn, 1));
    if (shape.managed_service) plan.steps.push_back(required(step::kStartInstance, 1));
    if (shape.health_check) plan.steps.push_back(required(step::kHealthCheck, 1));
    plan.steps.push_back(required(step::kCatalogCommit, 1));
    if (!shape.keep_previous) plan.steps.push_back(optional_step(std::string(step::kCleanupPrevious), 1));

    if (shape.safety_snapshot) plan.required_proofs.emplace_back("safety_snapshot:id");
    plan.required_proofs.emplace_back("restore:row_counts");
    if (shape.with_filestore) plan.required_proofs.emplace_back("filestore:reconciled");
    if (shape.neutralize) plan.required_proofs.emplace_back("neutralize:report");
    if (shape.health_check) plan.required_proofs.emplace_back("health:http_200");
    plan.required_proofs.emplace_back("catalog:row");
    return plan;
}

OperationPlan plan_verification(bool drill) {
    OperationPlan plan;
    plan.operation = Operation::verification;
    plan.steps = {required(step::kFetchArtifacts, 10), required(step::kVerifyArtifacts, 40),
                  required(step::kStructureCheck, 10)};
    plan.required_proofs = {"manifest:readback", "db_toc:entries"};
    if (drill) {
        plan.steps.push_back(required(step::kScratchRestore, 30));
        plan.steps.push_back(required(step::kContentChecks, 8));
        plan.steps.push_back(required(step::kNeutralize, 1));
        plan.steps.push_back(required(step::kScratchDrop, 1));
        plan.required_proofs.emplace_back("restore:row_counts");
        plan.required_proofs.emplace_back("neutralize:report");
    }
    return plan;
}

}  // namespace backstay
