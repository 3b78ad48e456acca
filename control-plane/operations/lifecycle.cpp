#include "control-plane/operations/lifecycle.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/copies.h"
#include "common/domain/reasons.h"
#include "common/json/json.h"
#include "control-plane/operations/aftermath.h"
#include "control-plane/operations/alarms.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/telling.h"

namespace backstay::operations {
namespace {

using control_plane::JobFinish;
using control_plane::JobOutcome;

Result<EvidenceInput> gather(sql::Database& db, const OperationRow& operation) {
    EvidenceInput input;
    input.plan = operation.plan;
    input.phase = operation.phase;
    for (StepRow& step : TRY(steps_of(db, operation.id))) input.steps.push_back(std::move(step.record));
    if (operation.backup_id) {
        input.copies = TRY(copies_of(db, *operation.backup_id));
        if (!makes_copies(operation.kind)) {
            std::erase_if(input.copies, [](const CopyRecord& copy) { return !is_stored(copy); });
        }
    }
    input.progress = operation.progress;
    input.failure = operation.failure;
    input.failure_reason = operation.failure_reason;
    input.reverted = operation.reverted;
    input.notes = operation.notes;
    return input;
}

// Status of the kinds that have no verdict.
std::string plain_status(const OperationRow& operation) {
    switch (operation.phase) {
        case Phase::pending:
            return "pending";
        case Phase::running:
            return "running";
        case Phase::cancelled:
            return "cancelled";
        case Phase::ended:
            break;
    }
    return operation.failure.empty() ? "completed" : "failed";
}

Result<> tell(sql::Database& db, OperationRow& operation, TimeMs now) {
    return append_events(db, operation.id, {next_event(operation, now)});
}

Result<> judge_operation(sql::Database& db, OperationRow& operation) {
    if (!is_judged(operation.kind)) {
        operation.status = plain_status(operation);
        return {};
    }
    const EvidenceInput input = TRY(gather(db, operation));
    const RecoveryEvidence verdict = judge(input);
    operation.status = row_status(input, verdict);
    operation.evidence = json::encode_text(verdict);
    return {};
}

// The event that ends the stream.
Result<> tell_the_end(sql::Database& db, OperationRow& operation, std::string_view message, TimeMs now) {
    Progress& progress = progress_of(operation);
    if (operation.status == "completed" || operation.status == "partial") progress.percent = 100;
    progress.rate_bytes_per_sec = 0;
    progress.message = message.empty() ? operation.status : std::string(message);
    progress.error.reset();
    if (operation.status == "failed" || operation.status == "reverted") {
        progress.error = message.empty() ? operation.failure : std::string(message);
    }
    return tell(db, operation, now);
}

// The safety copy inside a restore or a rollback, when the job ends without a word of it: its agent is gone.
Result<> end_inner(sql::Database& db, const OperationRow& operation, TimeMs now) {
    const bool holds = operation.kind == Kind::restore || operation.kind == Kind::rollback;
    if (!holds) return {};
    for (const std::string& id : TRY(unended_beside(db, operation.job_id, operation.id))) {
        auto inner = TRY(find_operation(db, id));
        if (!inner) continue;
        const std::string_view why =
            operation.failure_reason.empty() ? reason::kInternalError : operation.failure_reason;
        TRY(fail(db, *inner, why, fmt::format("the {} that it was for ended first", to_string(operation.kind)), now));
    }
    return {};
}

Result<> close(sql::Database& db, OperationRow& operation, std::string_view message, TimeMs now) {
    TRY(end_inner(db, operation, now));
    operation.completed_at = now;
    TRY(judge_operation(db, operation));
    TRY(tell_the_end(db, operation, message, now));
    // Once more: recoveryEvidence.progress is the latest payload.
    TRY(judge_operation(db, operation));
    TRY(update_operation(db, operation));
    TRY(show_in_history(db, operation, message, now));
    TRY(settle_aftermath(db, operation, now));
    return raise_alerts(db, operation, message, now);
}

}  // namespace

Result<> refresh(sql::Database& db, OperationRow& operation, TimeMs now) {
    TRY(judge_operation(db, operation));
    TRY(update_operation(db, operation));
    return show_in_history(db, operation, "", now);
}

Result<> begin(sql::Database& db, OperationRow& operation, std::int32_t attempt, TimeMs now) {
    if (attempt > 1) {
        TRY(clear_steps(db, operation.id));
        if (makes_copies(operation.kind)) TRY(clear_copies(db, operation.id));
        operation.progress.reset();
    }
    operation.phase = Phase::running;
    operation.failure.clear();
    operation.failure_reason.clear();
    operation.notes.clear();
    operation.started_at = now;
    operation.completed_at.reset();
    TRY(judge_operation(db, operation));
    progress_of(operation).message = "the agent began";
    TRY(tell(db, operation, now));
    TRY(update_operation(db, operation));
    return show_in_history(db, operation, "", now);
}

Result<> end(sql::Database& db, OperationRow& operation, const JobFinish& finish, std::int64_t keep_previous_ms,
             TimeMs now) {
    operation.phase = finish.outcome == JobOutcome::cancelled ? Phase::cancelled : Phase::ended;
    operation.reverted = finish.reverted;
    operation.notes = finish.notes;
    operation.failure.clear();
    operation.failure_reason.clear();
    if (finish.outcome == JobOutcome::failed || finish.outcome == JobOutcome::interrupted) {
        const auto steps = TRY(steps_of(db, operation.id));
        const bool told = std::any_of(steps.begin(), steps.end(), [](const StepRow& step) {
            return step.record.status == StepStatus::failed && step.record.required;
        });
        if (!told || !is_judged(operation.kind)) {
            operation.failure = finish.error_message.empty() ? "it failed without saying why" : finish.error_message;
            operation.failure_reason = finish.reason.empty() ? std::string(reason::kInternalError) : finish.reason;
        }
    }
    TRY(store_results(db, operation, finish, keep_previous_ms, now));
    return close(db, operation, finish.error_message, now);
}

Result<> fail(sql::Database& db, OperationRow& operation, std::string_view why, std::string_view message, TimeMs now) {
    operation.phase = Phase::ended;
    operation.failure = message;
    operation.failure_reason = why;
    return close(db, operation, message, now);
}

Result<> cancel(sql::Database& db, OperationRow& operation, std::string_view message, TimeMs now) {
    operation.phase = Phase::cancelled;
    return close(db, operation, message, now);
}

Result<> wait_again(sql::Database& db, OperationRow& operation, std::string_view message, TimeMs now) {
    operation.phase = Phase::pending;
    TRY(judge_operation(db, operation));
    Progress& progress = progress_of(operation);
    progress.message = message;
    progress.percent = 0;
    TRY(tell(db, operation, now));
    TRY(update_operation(db, operation));
    return show_in_history(db, operation, message, now);
}

}  // namespace backstay::operations
