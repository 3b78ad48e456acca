#include "control-plane/api/operation_answers.h"

namespace backstay::api {
namespace {

// Where an artifact lies below the host's snapshots, and below each destination that holds a copy.
json::Value path_answer(const operations::SnapshotRow& row, const std::optional<std::string>& file) {
    return file ? json::Value(row.folder + "/" + *file) : json::Value(nullptr);
}

}  // namespace

Result<json::Value> snapshot_answer(Names& names, const operations::SnapshotRow& row) {
    const auto operation = TRY(operations::find_operation(names.db(), row.id));
    const auto environment = TRY(names.environment(row.environment_id));
    const auto dependents = TRY(operations::dependents_of(names.db(), row.id));
    json::Object out;
    out["id"] = row.id;
    out["status"] = row.status;
    out["trigger"] = row.trigger_kind;
    out["environmentId"] = text_answer(row.environment_id);
    out["environmentName"] = environment ? json::Value(environment->name) : json::Value(nullptr);
    out["environmentType"] = environment ? json::Value(environment->type) : json::Value(nullptr);
    out["deploymentId"] = text_answer(row.deployment_id);
    out["commitSha"] = text_answer(row.commit_sha);
    out["imageTag"] = text_answer(row.image_tag);
    out["createdAt"] = to_rfc3339(row.created_at);
    out["startedAt"] = time_answer(row.started_at);
    out["completedAt"] = time_answer(row.completed_at);
    const bool timed = row.started_at && row.completed_at;
    out["durationMs"] = timed ? json::Value(*row.completed_at - *row.started_at) : json::Value(nullptr);
    out["expiresAt"] = time_answer(operations::expiry_with(row.expires_at, dependents));
    out["dbDumpPath"] = path_answer(row, row.database_file);
    out["filestorePath"] = path_answer(row, row.filestore_file);
    out["configPath"] = path_answer(row, row.config_file);
    out["dbSizeBytes"] = row.database_bytes;
    out["filestoreSizeBytes"] = row.filestore_bytes;
    out["totalSizeBytes"] = row.database_bytes + row.filestore_bytes;
    out["isFullFilestore"] = row.is_full ? json::Value(*row.is_full) : json::Value(nullptr);
    out["isPinned"] = row.is_pinned;
    out["pinLabel"] = row.pin_label;
    out["remoteStatus"] = row.remote_status;
    out["errorMessage"] = text_answer(row.error_message);
    out["recoveryEvidence"] = evidence_answer(operation, "snapshot");
    // Beyond the contract.
    out["projectId"] = text_answer(row.project_id);
    out["label"] = text_answer(row.label);
    out["performedBy"] = row.performed_by;
    out["failurePolicy"] = row.failure_policy;
    out["baseSnapshotId"] = text_answer(row.base_id);
    out["storedBytes"] = row.size_bytes;
    return json::Value(std::move(out));
}

Result<json::Value> rollback_answer(Names& names, const operations::RollbackRow& row) {
    const auto operation = TRY(operations::find_operation(names.db(), row.id));
    json::Object out;
    out["id"] = row.id;
    out["snapshotId"] = row.snapshot_id;
    out["environmentId"] = text_answer(row.target_environment_id);
    out["deploymentId"] = text_answer(row.deployment_id);
    out["rollbackDeploymentId"] = row.id;
    out["status"] = row.status;
    out["createdAt"] = to_rfc3339(row.created_at);
    out["startedAt"] = time_answer(row.started_at);
    out["completedAt"] = time_answer(row.completed_at);
    out["errorMessage"] = text_answer(row.error_message);
    out["performedBy"] = row.performed_by;
    out["safetySnapshotCreated"] = row.safety_snapshot_created;
    out["safetySnapshotId"] = text_answer(row.safety_snapshot_id);
    out["neutralizationTriggered"] = row.neutralization_triggered;
    out["recoveryEvidence"] = evidence_answer(operation, "rollback");
    // Beyond the contract.
    out["sourceEnvironmentId"] = text_answer(row.source_environment_id);
    out["keptUntil"] = time_answer(row.keep_until);
    return json::Value(std::move(out));
}

}  // namespace backstay::api
