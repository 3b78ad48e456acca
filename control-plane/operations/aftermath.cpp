#include "control-plane/operations/aftermath.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/json/json.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/operations/snapshot_aftermath.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/operations/verification.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"

namespace backstay::operations {
namespace {

// Text for errorMessage: the agent's or ours, else the verdict's first finding.
std::optional<std::string> error_of(const OperationRow& operation, std::string_view message) {
    if (operation.status != "failed" && operation.status != "reverted") return std::nullopt;
    if (!message.empty()) return std::string(message);
    if (!operation.failure.empty()) return operation.failure;
    const auto evidence = json::decode_text<RecoveryEvidence>(operation.evidence, json::kLenient);
    if (evidence && !evidence->why_not_green.empty()) return evidence->why_not_green.front();
    return std::string("it failed without saying why");
}

Result<> show_backup(sql::Database& db, const OperationRow& operation, std::string_view message) {
    auto row = TRY(find_backup_row(db, operation.id));
    if (!row) return {};
    const BackupRow before = *row;
    if (row->status != "deleting" && row->status != "deleted") {
        row->status = operation.status;
        if (!is_ended(operation) || !row->error_message || !message.empty()) {
            row->error_message = error_of(operation, message);
        }
        if (operation.status == "completed" || operation.status == "partial") row->error_message.reset();
    }
    row->started_at = operation.started_at;
    row->completed_at = operation.completed_at;
    // What is not whole any more is not proven; verification.h says what proves it.
    if (operation.status != "completed") row->verified_at.reset();
    if (*row == before) return {};
    return update_backup(db, *row);
}

Result<> show_restore(sql::Database& db, const OperationRow& operation, std::string_view message) {
    auto row = TRY(find_restore_row(db, operation.id));
    if (!row) return {};
    row->status = operation.status;
    row->started_at = operation.started_at;
    row->completed_at = operation.completed_at;
    if (!row->undone_at) row->error_message = error_of(operation, message);
    return update_restore(db, *row);
}

// A removal that is tried again says why it must be.
Result<> show_deletion(sql::Database& db, const OperationRow& operation, std::string_view message) {
    const bool waits_again = operation.phase == Phase::pending && operation.started_at;
    if (!waits_again || !operation.backup_id) return {};
    auto row = TRY(find_backup_row(db, *operation.backup_id));
    if (!row) return {};
    row->error_message = std::string("deletion: ").append(message);
    return update_backup(db, *row);
}

// A destination that has everything by now no longer counts as the one that failed; a new one counts from now on.
Result<> settle_copy(sql::Database& db, const OperationRow& operation, TimeMs now) {
    if (!operation.backup_id) return {};
    auto backup = TRY(find_operation(db, *operation.backup_id));
    if (!backup) return {};
    const auto copies = TRY(copies_of(db, *operation.backup_id));
    const auto complete = destinations_holding_all(backup->plan, copies);
    for (const StepRow& row : TRY(steps_of(db, backup->id))) {
        const std::string prefix = std::string(step::kRemoteUpload) + ":";
        if (!row.record.name.starts_with(prefix) || row.record.status != StepStatus::failed) continue;
        if (!complete.contains(row.record.name.substr(prefix.size()))) continue;
        StepRecord healed = row.record;
        healed.status = StepStatus::completed;
        healed.summary = "copied later by operation " + operation.id;
        healed.reason.clear();
        TRY(put_step(db, backup->id, healed, row.sort_order));
    }
    for (const std::string& id : complete) add_once(backup->plan.destination_ids, id);
    const bool was_whole = backup->status == "completed";
    TRY(refresh(db, *backup, now));
    // What was copied was read back; what the copy was made of was proven when it was made.
    return was_whole || backup->kind != Kind::backup ? Result<>() : settle_backup(db, *backup, now);
}

Result<> settle_deletion(sql::Database& db, const OperationRow& operation, TimeMs now) {
    if (!operation.backup_id) return {};
    auto row = TRY(find_backup_row(db, *operation.backup_id));
    if (!row) return settle_snapshot_deletion(db, operation, now);
    if (operation.status != "completed") {  // it stays in `deleting`, with the reason
        row->error_message = "deletion: " + operation.failure;
        return update_backup(db, *row);
    }
    for (CopyRecord copy : TRY(copies_of(db, row->id))) {
        copy.state = CopyState::deleted;
        TRY(put_copy(db, row->id, copy, now));
    }
    row->status = "deleted";
    row->deleted_at = now;
    return update_backup(db, *row);
}

Result<> settle_undo(sql::Database& db, const OperationRow& operation, TimeMs now) {
    if (operation.status != "completed") return {};
    auto restore = TRY(find_restore_row(db, operation.subject));
    if (!restore) return {};
    restore->undone_at = now;
    TRY(update_restore(db, *restore));
    auto restored = TRY(find_operation(db, operation.subject));
    if (!restored) return {};
    restored->reverted = true;
    return refresh(db, *restored, now);
}

Result<> settle_test(sql::Database& db, const OperationRow& operation, TimeMs now) {
    const bool passed = operation.status == "completed";
    store::Destinations destinations(db);
    return destinations.set_test(operation.subject, passed ? "passed" : "failed",
                                 passed ? "reachable and writable" : operation.failure, now);
}

// What the manifest of a backup or a snapshot says; false when it is not known.
Result<bool> source_is_neutralized(sql::Database& db, const std::string& id) {
    std::optional<std::string> text = TRY(manifest_of(db, id));
    if (!text) {
        const auto snapshot = TRY(find_snapshot_row(db, id));
        if (snapshot) text = snapshot->manifest;
    }
    if (!text) return false;
    const auto manifest = json::parse(*text);
    const json::Value* flag =
        manifest && manifest->is_object() ? manifest->as_object().if_contains("isNeutralized") : nullptr;
    return flag != nullptr && flag->is_bool() && flag->get_bool();
}

// A restored environment is neutralized when the step ran, or when the source was already.
Result<> settle_restore(sql::Database& db, const OperationRow& operation, TimeMs now) {
    const bool stands = operation.status == "completed" || operation.status == "partial";
    if (!stands || !operation.environment_id || !operation.backup_id) return {};
    bool neutralized = false;
    for (const StepRow& step : TRY(steps_of(db, operation.id))) {
        if (step.record.name == step::kNeutralize) neutralized = step.record.status == StepStatus::completed;
    }
    if (!neutralized) neutralized = TRY(source_is_neutralized(db, *operation.backup_id));
    return store::Environments(db).set_neutralized(*operation.environment_id, neutralized, now);
}

}  // namespace

Result<> show_in_history(sql::Database& db, const OperationRow& operation, std::string_view message, TimeMs) {
    if (operation.kind == Kind::backup) return show_backup(db, operation, message);
    if (operation.kind == Kind::restore) return show_restore(db, operation, message);
    if (operation.kind == Kind::deletion) return show_deletion(db, operation, message);
    if (operation.kind == Kind::snapshot) return show_snapshot(db, operation, error_of(operation, message));
    if (operation.kind == Kind::rollback) return show_rollback(db, operation, error_of(operation, message));
    return {};
}

Result<> store_results(sql::Database& db, const OperationRow& operation, const control_plane::JobFinish& finish,
                       std::int64_t keep_previous_ms, TimeMs now) {
    if (operation.kind == Kind::backup) {
        auto row = TRY(find_backup_row(db, operation.id));
        if (!row) return {};
        if (finish.folder) row->folder = *finish.folder;
        row->size_bytes = static_cast<std::int64_t>(finish.size_bytes);
        row->database_bytes = static_cast<std::int64_t>(finish.database_bytes);
        row->filestore_bytes = static_cast<std::int64_t>(finish.filestore_bytes);
        if (finish.manifest) TRY(keep_manifest(db, row->id, json::encode_text(*finish.manifest)));
        return update_backup(db, *row);
    }
    if (operation.kind == Kind::restore) {
        auto row = TRY(find_restore_row(db, operation.id));
        if (!row) return {};
        if (finish.safety_backup_id) row->safety_backup_id = finish.safety_backup_id;
        if (finish.outcome == control_plane::JobOutcome::succeeded) row->keep_until = now + keep_previous_ms;
        return update_restore(db, *row);
    }
    if (operation.kind == Kind::snapshot) return store_snapshot_results(db, operation, finish);
    if (operation.kind == Kind::rollback) {
        return store_rollback_results(db, operation, finish, keep_previous_ms, now);
    }
    return {};
}

Result<> settle_aftermath(sql::Database& db, const OperationRow& operation, TimeMs now) {
    switch (operation.kind) {
        case Kind::backup:
            return settle_backup(db, operation, now);
        case Kind::snapshot:
            return settle_snapshot(db, operation, now);
        case Kind::restore:
        case Kind::rollback:
            return settle_restore(db, operation, now);
        case Kind::verification:
            return settle_verification(db, operation, now);
        case Kind::copy:
            return settle_copy(db, operation, now);
        case Kind::deletion:
            return settle_deletion(db, operation, now);
        case Kind::undo:
            return settle_undo(db, operation, now);
        case Kind::destination_test:
            return settle_test(db, operation, now);
    }
    return {};
}

}  // namespace backstay::operations
