#include "control-plane/operations/snapshot_aftermath.h"

#include <algorithm>

#include "common/domain/manifest.h"
#include "common/json/json.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/snapshot_settings.h"

namespace backstay::operations {
namespace {

// What the contract shows of the manifest: file names, and whether the filestore is whole.
void read_contents(const json::Object& manifest, SnapshotRow& row) {
    if (const json::Value* value = manifest.if_contains("filestore"); value != nullptr && value->is_object()) {
        const auto filestore = json::decode<ManifestFilestore>(*value, json::kLenient);
        if (filestore) {
            row.is_full = filestore->mode != "differential";
            row.base_id = *row.is_full ? std::nullopt : filestore->base_snapshot_id;
        }
    }
    const json::Value* artifacts = manifest.if_contains("artifacts");
    if (artifacts == nullptr || !artifacts->is_array()) return;
    for (const json::Value& value : artifacts->get_array()) {
        const auto artifact = json::decode<ManifestArtifact>(value, json::kLenient);
        if (!artifact) continue;
        if (artifact->name == artifact::kDatabase) row.database_file = artifact->path;
        if (artifact->name == artifact::kFilestore) row.filestore_file = artifact->path;
        if (artifact->name == artifact::kConfig) row.config_file = artifact->path;
    }
}

// Only what was asserted counts: the step ran and left its report.
bool was_neutralized(const std::vector<StepRow>& steps) {
    return std::any_of(steps.begin(), steps.end(), [](const StepRow& step) {
        const auto& proofs = step.record.proofs;
        return step.record.name == step::kNeutralize && step.record.status == StepStatus::completed &&
               std::find(proofs.begin(), proofs.end(), "neutralize:report") != proofs.end();
    });
}

// A differential's copy brings its base along, whole. Unknown here, it would stay in the destination for ever.
Result<> note_base_copies(sql::Database& db, const OperationRow& operation, TimeMs now) {
    const auto row = TRY(find_snapshot_row(db, operation.id));
    if (!row || !row->base_id) return {};
    auto base = TRY(find_snapshot_row(db, *row->base_id));
    auto taken = TRY(find_operation(db, *row->base_id));
    if (!base || !taken) return {};
    const std::vector<CopyRecord> copies = TRY(copies_of(db, row->id));
    auto brought_to = destinations_holding_all(operation.plan, copies);
    brought_to.erase(std::string(kHostPlace));
    for (const std::string& destination : brought_to) {
        // Byte for byte what lies on the host.
        for (CopyRecord copy : TRY(copies_of(db, base->id))) {
            if (copy.destination_id != kHostPlace) continue;
            copy.destination_id = destination;
            copy.state = CopyState::verified;
            TRY(put_copy(db, base->id, copy, now));
        }
        add_once(base->destination_ids, destination);
    }
    TRY(update_snapshot(db, *base));
    return refresh(db, *taken, now);
}

}  // namespace

Result<> show_snapshot(sql::Database& db, const OperationRow& operation, const std::optional<std::string>& error) {
    auto row = TRY(find_snapshot_row(db, operation.id));
    if (!row) return {};
    if (row->status != "deleting" && row->status != "deleted") {
        row->status = operation.status;
        row->error_message = error;
    }
    row->started_at = operation.started_at;
    row->completed_at = operation.completed_at;
    const auto copies = TRY(copies_of(db, row->id));
    row->remote_status = remote_status(row->destination_ids, operation.plan.artifacts, copies, is_ended(operation));
    const std::int64_t days = TRY(store::SnapshotSettingsOf(db).retention_days(row->environment_id));
    row->expires_at = own_expiry({row->completed_at, row->is_pinned, row->unpinned_at, days});
    return update_snapshot(db, *row);
}

Result<> show_rollback(sql::Database& db, const OperationRow& operation, const std::optional<std::string>& error) {
    auto row = TRY(find_rollback_row(db, operation.id));
    if (!row) return {};
    row->status = operation.status;
    row->started_at = operation.started_at;
    row->completed_at = operation.completed_at;
    row->error_message = error;
    row->neutralization_triggered = was_neutralized(TRY(steps_of(db, operation.id)));
    return update_rollback(db, *row);
}

Result<> store_snapshot_results(sql::Database& db, const OperationRow& operation,
                                const control_plane::JobFinish& finish) {
    auto row = TRY(find_snapshot_row(db, operation.id));
    if (!row) return {};
    if (finish.folder) row->folder = *finish.folder;
    row->size_bytes = static_cast<std::int64_t>(finish.size_bytes);
    row->database_bytes = static_cast<std::int64_t>(finish.database_bytes);
    row->filestore_bytes = static_cast<std::int64_t>(finish.filestore_bytes);
    if (finish.manifest) {
        row->manifest = json::serialize(json::Value(*finish.manifest));
        read_contents(*finish.manifest, *row);
    }
    return update_snapshot(db, *row);
}

Result<> store_rollback_results(sql::Database& db, const OperationRow& operation,
                                const control_plane::JobFinish& finish, std::int64_t keep_previous_ms, TimeMs now) {
    auto row = TRY(find_rollback_row(db, operation.id));
    if (!row) return {};
    if (finish.safety_backup_id) row->safety_snapshot_id = finish.safety_backup_id;
    if (finish.outcome == control_plane::JobOutcome::succeeded) row->keep_until = now + keep_previous_ms;
    return update_rollback(db, *row);
}

Result<> settle_snapshot(sql::Database& db, const OperationRow& operation, TimeMs now) {
    if (!is_usable_snapshot(operation.status)) return {};
    TRY(note_base_copies(db, operation, now));
    return note_safety_snapshot(db, operation.id);
}

Result<> settle_snapshot_deletion(sql::Database& db, const OperationRow& operation, TimeMs now) {
    auto row = TRY(find_snapshot_row(db, operation.backup_id.value_or("")));
    if (!row) return {};
    if (operation.status != "completed") {  // it stays in `deleting`, with the reason
        row->error_message = "deletion: " + operation.failure;
        return update_snapshot(db, *row);
    }
    for (CopyRecord copy : TRY(copies_of(db, row->id))) {
        copy.state = CopyState::deleted;
        TRY(put_copy(db, row->id, copy, now));
    }
    row->status = "deleted";
    row->deleted_at = now;
    return update_snapshot(db, *row);
}

}  // namespace backstay::operations
