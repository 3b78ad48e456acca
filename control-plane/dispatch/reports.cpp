#include "control-plane/dispatch/reports.h"

#include <fmt/format.h>

#include <map>

#include "common/domain/orders.h"
#include "common/domain/reasons.h"
#include "common/json/json.h"
#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/dispatch/declared.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/store/schedules.h"

namespace backstay::dispatch {
namespace {

using control_plane::JobFinish;
using control_plane::Report;
using control_plane::ReportAck;
using control_plane::ReportAnswer;
using control_plane::ReportBatch;
using control_plane::ReportKind;
using operations::OperationRow;

std::int64_t keep_previous_of(const Job& job) {
    const auto order = json::parse(job.order);
    if (!order) return RestoreOrder{}.keep_previous_ms;
    auto restore = json::decode<RestoreOrder>(*order, json::kLenient);
    return restore ? restore->keep_previous_ms : RestoreOrder{}.keep_previous_ms;
}

class Intake {
public:
    Intake(sql::Database& db, const store::Agent& agent, TimeMs now, Stir& stir)
        : db_(db), agent_(agent), now_(now), stir_(stir) {}

    // `fault`: why the report could not be read; null when it could.
    Result<> take(const Report& report, const std::string* fault, ReportAck& ack) {
        auto job = TRY(find_job(db_, report.job_id));
        if (!job) {
            if (report.kind != ReportKind::declared || fault != nullptr)
                return refuse(ack, "this job is not known here");
            return declare(report, ack);
        }
        if (job->agent_id != agent_.id) return refuse(ack, "this job is another agent's");
        const bool began_alone = report.kind == ReportKind::declared && report.fence == 0 && fault == nullptr;
        if (began_alone && is_unclaimed(*job)) return take_over(report, std::move(*job), ack);
        if (report.fence < job->fence) return refuse(ack, "the job was handed out again under a newer number");
        if (report.fence > job->fence) return refuse(ack, "this number was never given out");
        ack.seq = job->seq;
        if (report.seq <= job->seq) return {};
        // Before the hole: what is missing there may have been taken by a control plane that was put back since.
        if (job->state == JobState::finished) return refuse(ack, "the job has ended here");
        if (report.seq != job->seq + 1) return {};  // a hole: the agent sends again from there
        if (!renew(*job, report.fence, now_)) return refuse(ack, "the job has ended here");
        job->seq = report.seq;
        job->moved_at = now_;
        Job changed = *job;
        Result<> applied = fault == nullptr ? sql::apart(db_, [&] { return apply(report, changed); })
                                            : Result<>(Error(Errc::invalid, *fault));
        if (applied) {
            *job = std::move(changed);
        } else if (is_its_own(applied.error())) {
            TRY(reject(report, applied.error(), fault != nullptr, *job, ack));
        } else {
            return applied;
        }
        ack.seq = report.seq;
        return update_job(db_, *job);
    }

private:
    static Result<> refuse(ReportAck& ack, std::string message) {
        ack.refused = true;
        ack.message = std::move(message);
        return {};
    }

    // What the same report would meet again; anything else may pass.
    static bool is_its_own(const Error& error) {
        switch (error.code()) {
            case Errc::invalid:
            case Errc::not_found:
            case Errc::conflict:
            case Errc::corrupted:
                return true;
            default:
                return false;
        }
    }

    Result<> reject(const Report& report, const Error& error, bool unread, Job& job, ReportAck& ack) {
        log::warning("report rejected", {{"job", job.id}, {"seq", report.seq}, {"error", error.message()}});
        const std::string code = unread ? "not_understood" : std::string(to_string(error.code()));
        ack.rejected.push_back({report.seq, code, error.message()});
        const bool ends =
            report.kind == ReportKind::finished &&
            (report.operation_id.empty() || report.operation_id == job.id || report.operation_id == job.operation_id);
        if (!ends) return {};
        // Nothing follows under this fence: the job must not wait for its lease to end.
        const std::string message = "the agent's last report cannot be taken: " + error.message();
        finish(job, "failed", reason::kInternalError, message);
        stir_.agents.insert(job.agent_id);
        stir_.operations.insert(job.operation_id);
        const Result<> told = sql::apart(db_, [&]() -> Result<> {
            auto operation = TRY(operations::find_operation(db_, job.operation_id));
            if (!operation) return {};
            return operations::fail(db_, *operation, reason::kInternalError, message, now_);
        });
        if (!told && !is_its_own(told.error())) return told;
        return {};
    }

    Result<> declare(const Report& report, ReportAck& ack) {
        if (report.fence != 0) return refuse(ack, "a declared job has no number");
        std::optional<Job> job;
        const Result<> declared = sql::apart(db_, [&]() -> Result<> {
            job = TRY(declare_job(db_, agent_, report, now_));
            return {};
        });
        if (!declared) return is_its_own(declared.error()) ? refuse(ack, declared.error().message()) : declared;
        stir_.operations.insert(job->operation_id);
        job->seq = report.seq;
        ack.seq = report.seq;
        return update_job(db_, *job);
    }

    // A run of a schedule that we ordered and that the agent began by itself meanwhile: it is one.
    Result<> take_over(const Report& report, Job job, ReportAck& ack) {
        auto operation = TRY(operations::find_operation(db_, job.operation_id));
        const auto backup = TRY(operations::find_backup_row(db_, job.operation_id));
        if (!operation || !backup || backup->deleted_at || !report.declared || report.declared->kind != job.kind) {
            return refuse(ack, "this job is not known here");
        }
        adopt(job, now_);
        job.seq = report.seq;
        ack.seq = report.seq;
        stir_.operations.insert(operation->id);
        TRY(operations::begin(db_, *operation, job.attempt, now_));
        return update_job(db_, job);
    }

    Result<std::optional<OperationRow>> operation_of(const Report& report, const Job& job) {
        const std::string& named = report.operation_id;
        const std::string& id = named.empty() || named == job.id ? job.operation_id : named;
        auto found = TRY(operations::find_operation(db_, id));
        if (!found && id != job.operation_id) found = TRY(open_inner_operation(db_, job, id, now_));
        if (found && found->job_id != job.id) found.reset();
        return found;
    }

    Result<> apply(const Report& report, Job& job) {
        auto operation = TRY(operation_of(report, job));
        if (!operation) {  // kept in order, but there is nothing here that it speaks of
            log::warning("report about an unknown operation", {{"job", job.id}, {"operation", report.operation_id}});
            return {};
        }
        stir_.operations.insert(operation->id);
        switch (report.kind) {
            case ReportKind::declared:
                return {};
            case ReportKind::accepted:
                accept(job, now_);
                return operations::begin(db_, *operation, job.attempt, now_);
            case ReportKind::rejected:
                return rejected(report, job, *operation);
            case ReportKind::planned:
                if (!report.plan) return {};
                return operations::set_plan(db_, *operation, *report.plan, now_);
            case ReportKind::step:
                if (!report.step) return {};
                return operations::record_step(db_, *operation, *report.step, now_);
            case ReportKind::copy:
                return copied(report, *operation);
            case ReportKind::progress:
                if (!report.progress) return {};
                return operations::record_progress(db_, *operation, *report.progress, now_);
            case ReportKind::finished:
                return finished(report, job, *operation);
        }
        return {};
    }

    Result<> copied(const Report& report, OperationRow& operation) {
        if (!report.copy) return {};
        if (operation.backup_id) stir_.operations.insert(*operation.backup_id);
        return operations::record_copy(db_, operation, *report.copy, now_);
    }

    Result<> rejected(const Report& report, Job& job, OperationRow& operation) {
        const std::string why = report.reason.value_or(std::string(reason::kPreflightFailed));
        const std::string message = report.message.value_or("the agent refused the job");
        finish(job, "failed", why, message);
        return operations::fail(db_, operation, why, message, now_);
    }

    Result<> finished(const Report& report, Job& job, OperationRow& operation) {
        if (!report.finished) return {};
        const JobFinish& last = *report.finished;
        if (operation.id != job.operation_id) {
            // An agent that died says it again when it does not know whether it has.
            if (operations::is_ended(operation)) return {};
            return operations::end(db_, operation, last, 0, now_);
        }
        AttemptEnd attempt;
        attempt.outcome = boost::describe::enum_to_string(last.outcome, "failed");
        attempt.reason = last.reason;
        attempt.transient = last.transient;
        if (job.environment_id) {
            attempt.of_schedule = TRY(store::Schedules(db_).is_newest_run(*job.environment_id, job.id));
        }
        const std::int32_t number = job.attempt;
        const Next next = end_attempt(job, attempt, now_);
        job.message = last.error_message;
        stir_.agents.insert(job.agent_id);
        if (next == Next::retry) {
            const std::string text = fmt::format("attempt {} failed: {}; the next begins at {}", number,
                                                 last.error_message, to_rfc3339(job.not_before));
            return operations::wait_again(db_, operation, text, now_);
        }
        if (next == Next::cancelled && last.outcome != control_plane::JobOutcome::cancelled) {
            return operations::cancel(db_, operation, "cancelled", now_);
        }
        return operations::end(db_, operation, last, keep_previous_of(job), now_);
    }

    sql::Database& db_;
    const store::Agent& agent_;
    TimeMs now_;
    Stir& stir_;
};

}  // namespace

Result<ReportAnswer> take_reports(sql::Database& db, const store::Agent& agent, const ReportBatch& batch, TimeMs now,
                                  Stir& stir, const ReportFaults& faults) {
    Intake intake(db, agent, now, stir);
    std::map<std::pair<std::string, std::int64_t>, ReportAck> acks;
    for (std::size_t i = 0; i < batch.reports.size(); ++i) {
        const Report& report = batch.reports[i];
        const auto fault = faults.find(i);
        ReportAck& ack = acks[{report.job_id, report.fence}];
        ack.job_id = report.job_id;
        ack.fence = report.fence;
        if (ack.refused) continue;
        TRY(intake.take(report, fault == faults.end() ? nullptr : &fault->second, ack));
    }
    ReportAnswer answer;
    for (auto& [key, ack] : acks) answer.acks.push_back(std::move(ack));
    return answer;
}

}  // namespace backstay::dispatch
