#include "control-plane/operations/alarms.h"

#include <algorithm>
#include <map>

#include "common/domain/copies.h"
#include "common/domain/reasons.h"
#include "common/json/json.h"
#include "control-plane/alerts/destination_silence.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "control-plane/operations/drills.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/operations/verification.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

using alerts::DestinationOutcome;
using alerts::Ended;
using alerts::Judgement;

// Why, in the verdict's words when neither the agent nor we said it.
void read_cause(const OperationRow& operation, std::string_view message, Ended& ended) {
    ended.reason = operation.failure_reason;
    ended.message = message.empty() ? operation.failure : std::string(message);
    const auto evidence = json::decode_text<RecoveryEvidence>(operation.evidence, json::kLenient);
    if (!evidence) return;
    if (ended.reason.empty() && evidence->reason != reason::kOk) ended.reason = evidence->reason;
    if (ended.message.empty() && !evidence->why_not_green.empty()) ended.message = evidence->why_not_green.front();
}

Result<Ended> facts_of(sql::Database& db, const OperationRow& operation, std::string_view message) {
    Ended ended;
    ended.operation_id = operation.id;
    ended.backup_id = operation.backup_id.value_or("");
    ended.status = operation.status;
    read_cause(operation, message, ended);
    if (operation.environment_id) {
        const auto found = TRY(store::Environments(db).find_any(operation.organization_id, *operation.environment_id));
        if (found) ended.environment = {found->id, found->project_id, found->name, found->type};
    }
    return ended;
}

struct Held {
    std::size_t stored = 0;
    const CopyRecord* failed = nullptr;
};

Result<std::vector<DestinationOutcome>> outcomes(sql::Database& db, const OperationRow& backup,
                                                 const std::vector<CopyRecord>& copies) {
    std::map<std::string, Held> held;
    for (const std::string& id : backup.plan.destination_ids) held[id];
    for (const CopyRecord& copy : copies) {
        if (is_stored(copy)) ++held[copy.destination_id].stored;
        if (copy.state == CopyState::failed) held[copy.destination_id].failed = &copy;
    }
    std::vector<DestinationOutcome> out;
    for (const auto& [id, what] : held) {
        const auto row = TRY(store::Destinations(db).find(backup.organization_id, id));
        DestinationOutcome outcome;
        outcome.id = id;
        outcome.name = row ? row->name : id;
        outcome.holds_all = what.stored > 0 && what.stored >= backup.plan.artifacts.size();
        outcome.refused = what.failed != nullptr;
        if (what.failed != nullptr) {
            outcome.message = what.failed->message;
            outcome.reason = what.failed->reason;
        }
        out.push_back(std::move(outcome));
    }
    return out;
}

// Reports may come late: what failed before the newest good one is no news.
Result<bool> is_outdated(sql::Database& db, const BackupRow& backup) {
    const auto newer = TRY(store::count_of(
        db.query("SELECT COUNT(*) FROM backups WHERE environment_id = $1 AND scope = $2 AND created_at > $3 AND status "
                 "IN ('completed', 'partial') AND deleted_at IS NULL",
                 {backup.environment_id, backup.scope, backup.created_at})));
    return newer > 0;
}

Result<bool> check_failed(sql::Database& db, std::string_view operation_id) {
    const auto steps = TRY(steps_of(db, operation_id));
    return std::any_of(steps.begin(), steps.end(), [](const StepRow& step) {
        const bool checks = step.record.name == step::kLocalVerify || step.record.name == step::kRemoteVerify;
        return checks && step.record.status == StepStatus::failed;
    });
}

Result<Judgement> judge_one_backup(sql::Database& db, const OperationRow& operation, Ended ended) {
    const auto backup = TRY(find_backup_row(db, operation.id));
    if (!backup) return Judgement();
    ended.scope = backup->scope;
    ended.outdated = TRY(is_outdated(db, *backup));
    ended.check_failed = TRY(check_failed(db, operation.id));
    const auto copies = TRY(copies_of(db, operation.id));
    ended.destinations = TRY(outcomes(db, operation, copies));
    return alerts::judge_backup(ended);
}

Result<Judgement> judge_one_copy(sql::Database& db, const OperationRow& operation, Ended ended) {
    const auto backup = TRY(find_operation(db, ended.backup_id));
    const auto row = TRY(find_backup_row(db, ended.backup_id));
    if (!backup || !row) return Judgement();
    ended.scope = row->scope;
    ended.status = backup->status;
    ended.outdated = operation.status == "cancelled";
    const auto copies = TRY(copies_of(db, ended.backup_id));
    ended.destinations = TRY(outcomes(db, *backup, copies));
    return alerts::judge_copy(ended);
}

Result<Judgement> judge_one_deletion(sql::Database& db, const OperationRow& operation, const Ended& ended) {
    const auto blocked = TRY(store::count_of(db.query(
        "SELECT COUNT(*) FROM backups WHERE environment_id = $1 AND status = 'deleting' AND error_message LIKE "
        "'deletion: %' AND id <> $2",
        {operation.environment_id, operation.backup_id})));
    return alerts::judge_deletion(ended, blocked > 0);
}

Result<Judgement> judge_one_verification(sql::Database& db, const OperationRow& operation, const Ended& ended) {
    const auto row = TRY(find_backup_row(db, ended.backup_id));
    // Removed while it was looked at: what is missing then is no news.
    if (!row || row->status == "deleting" || row->deleted_at) return Judgement();
    const auto steps = TRY(steps_of(db, operation.id));
    const bool damaged = deny_content(steps);
    Judgement out = is_drill(operation) ? alerts::judge_drill(ended, damaged) : alerts::judge_verification(ended);
    if (row->status != "completed") {  // the copies looked at are sound, another one is not
        std::erase_if(out.over, [](const auto& relief) { return relief.type == alerts::type::kVerificationFailed; });
    }
    return out;
}

Result<Judgement> judge(sql::Database& db, const OperationRow& operation, Ended ended) {
    switch (operation.kind) {
        case Kind::backup:
            return judge_one_backup(db, operation, std::move(ended));
        case Kind::copy:
            return judge_one_copy(db, operation, std::move(ended));
        case Kind::deletion:
            return judge_one_deletion(db, operation, ended);
        case Kind::verification:
            return judge_one_verification(db, operation, ended);
        case Kind::restore:
        case Kind::rollback:
            return alerts::judge_restore(ended, operation.kind == Kind::rollback);
        case Kind::snapshot: {
            const auto row = TRY(find_snapshot_row(db, operation.id));
            if (row) ended.failure_policy = row->failure_policy;
            return alerts::judge_snapshot(ended);
        }
        case Kind::undo:
        case Kind::destination_test:
            return Judgement();
    }
    return Judgement();
}

// Whether destinations could be connected to: the sweep tells when one could not for long.
Result<> note_connections(sql::Database& db, const OperationRow& operation, TimeMs now) {
    alerts::DestinationSilences silences(db);
    if (operation.kind == Kind::destination_test) {
        if (operation.status == "completed") return silences.end(operation.subject, now);
        if (operation.status != "failed") return {};
        return silences.begin(operation.subject, operation.failure, now);
    }
    if (!operation.backup_id || operation.kind == Kind::restore || operation.kind == Kind::rollback) return {};
    const bool wrote =
        operation.kind == Kind::backup || operation.kind == Kind::copy || operation.kind == Kind::snapshot;
    for (const CopyRecord& copy : TRY(copies_of(db, *operation.backup_id))) {
        if (copy.destination_id == kHostPlace) continue;
        const bool silent = copy.reason == reason::kDestinationUnreachable;
        if (wrote && is_stored(copy)) TRY(silences.end(copy.destination_id, now));
        if (silent && !is_stored(copy)) TRY(silences.begin(copy.destination_id, copy.message, now));
    }
    return {};
}

}  // namespace

Result<> raise_alerts(sql::Database& db, const OperationRow& operation, std::string_view message, TimeMs now) {
    TRY(note_connections(db, operation, now));
    Ended ended = TRY(facts_of(db, operation, message));
    const Judgement judgement = TRY(judge(db, operation, std::move(ended)));
    return alerts::Alerts(db).apply(operation.organization_id, judgement, now);
}

}  // namespace backstay::operations
