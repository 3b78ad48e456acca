#include "control-plane/operations/verification.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/domain/reasons.h"
#include "control-plane/operations/drills.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/store/drill_settings.h"

namespace backstay::operations {
namespace {

const StepRecord* find_step(const std::vector<StepRow>& steps, std::string_view name) {
    const auto found =
        std::find_if(steps.begin(), steps.end(), [&](const StepRow& s) { return s.record.name == name; });
    return found == steps.end() ? nullptr : &found->record;
}

// Adds what was found, as an optional step of the backup's own: its evidence is judged by it from now on.
Result<> mark(sql::Database& db, OperationRow& backup, std::string_view name, const StepRecord& found, TimeMs now) {
    auto& plan = backup.plan.steps;
    auto at = std::find_if(plan.begin(), plan.end(), [&](const StepPlan& step) { return step.name == name; });
    if (at == plan.end()) {
        plan.push_back({std::string(name), false, 0});
        at = plan.end() - 1;
    }
    StepRecord record;
    record.name = name;
    record.required = false;
    record.status = found.status;
    record.started_at = found.started_at;
    record.completed_at = found.completed_at;
    record.summary = fmt::format("{}: {}", to_rfc3339(now), found.summary);
    record.reason = found.reason;
    return put_step(db, backup.id, record, (at - plan.begin()) + 1);
}

bool denies_content(const StepRecord& step) {
    static constexpr std::array kSteps = {step::kFetchArtifacts, step::kVerifyArtifacts, step::kStructureCheck,
                                          step::kContentChecks};
    static constexpr std::array kDamage = {
        reason::kRemoteMissing,    reason::kRemoteCorrupt,         reason::kChecksumMismatch, reason::kArtifactMissing,
        reason::kStructureInvalid, reason::kFilestoreInconsistent, reason::kRestoreFailed};
    return step.status == StepStatus::failed && std::find(kSteps.begin(), kSteps.end(), step.name) != kSteps.end() &&
           std::find(kDamage.begin(), kDamage.end(), step.reason) != kDamage.end();
}

// `by`: the step that tells. What it could not tell leaves an earlier finding as it is.
Result<> judge_by(sql::Database& db, OperationRow& backup, std::string_view name, const StepRecord* by, TimeMs now) {
    if (by == nullptr) return {};
    const bool tells = by->status == StepStatus::completed || denies_content(*by);
    return tells ? mark(db, backup, name, *by, now) : Result<>();
}

}  // namespace

bool deny_content(const std::vector<StepRow>& steps) {
    return std::any_of(steps.begin(), steps.end(), [](const StepRow& step) { return denies_content(step.record); });
}

Result<> set_next_check(sql::Database& db, std::string_view backup_id, TimeMs at) {
    TRY(db.run("UPDATE backups SET next_check_at = $2 WHERE id = $1 AND scope <> 'base'", {backup_id, at}));
    return {};
}

Result<> settle_backup(sql::Database& db, const OperationRow& operation, TimeMs now) {
    if (operation.status != "completed" && operation.status != "partial") return {};
    TRY(set_next_check(db, operation.id, now + kVerifyEveryMs));
    auto row = TRY(find_backup_row(db, operation.id));
    if (!row || operation.status != "completed" || row->verified_at) return {};
    row->verified_at = now;
    return update_backup(db, *row);
}

Result<> settle_verification(sql::Database& db, const OperationRow& operation, TimeMs now) {
    if (!operation.backup_id) return {};
    // Somebody did not want it now.
    if (operation.phase == Phase::cancelled) return set_next_check(db, *operation.backup_id, now + kVerifyAgainMs);
    auto backup = TRY(find_operation(db, *operation.backup_id));
    if (!backup || backup->kind != Kind::backup || !is_ended(*backup)) return {};
    const auto steps = TRY(steps_of(db, operation.id));
    const bool done = operation.status == "completed";
    const bool damaged = deny_content(steps);
    TRY(set_next_check(db, backup->id, now + (done || damaged ? kVerifyEveryMs : kVerifyAgainMs)));
    const bool comes_again =
        is_drill(operation) && operation.performed_by == kDrillSchedule && operation.environment_id;
    if (comes_again && !done && !damaged) {
        TRY(store::DrillSettingsOf(db).set_next(*operation.environment_id, now + kVerifyAgainMs));
    }
    TRY(judge_by(db, *backup, step::kVerification, find_step(steps, step::kStructureCheck), now));
    TRY(judge_by(db, *backup, step::kDrill, find_step(steps, step::kContentChecks), now));
    TRY(refresh(db, *backup, now));
    auto row = TRY(find_backup_row(db, backup->id));
    // One that lacks a copy is restorable, and yet not what was promised.
    if (!row || !done || row->status != "completed") return {};
    row->verified_at = now;
    return update_backup(db, *row);
}

}  // namespace backstay::operations
