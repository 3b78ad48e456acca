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
#include "control-plane/operations/account.h"
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

// Words about a job's progress, which change nothing but its operation's account.
bool only_tells(ReportKind kind) {
    return kind == ReportKind::planned || kind == ReportKind::step || kind == ReportKind::copy ||
           kind == ReportKind::progress;
}

// What the same report would meet again; anything else may pass.
bool is_its_own(const Error& error) {
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

// Each report by itself: one that fails is rejected alone. Or together: what several of them tell of one operation is
// stored once; the first failure is the error of all, and the caller undoes what was stored.
enum class Manner { one_by_one, together };

class Intake {
public:
    Intake(sql::Database& db, const store::Agent& agent, TimeMs now, Manner manner, Stir& stir)
        : db_(db), agent_(agent), now_(now), manner_(manner), stir_(stir) {}

    Result<ReportAnswer> take_all(const ReportBatch& batch, const ReportFaults& faults) {
        std::map<std::pair<std::string, std::int64_t>, ReportAck> acks;
        for (std::size_t i = 0; i < batch.reports.size(); ++i) {
            const Report& report = batch.reports[i];
            const auto fault = faults.find(i);
            ReportAck& ack = acks[{report.job_id, report.fence}];
            ack.job_id = report.job_id;
            ack.fence = report.fence;
            if (ack.refused) continue;
            TRY(take(report, fault == faults.end() ? nullptr : &fault->second, ack));
        }
        TRY(settle());
        ReportAnswer answer;
        for (auto& [key, ack] : acks) answer.acks.push_back(std::move(ack));
        return answer;
    }

private:
    // `fault`: why the report could not be read; null when it could.
    Result<> take(const Report& report, const std::string* fault, ReportAck& ack) {
        if (job_ && job_->id != report.job_id) TRY(settle());
        if (!job_) job_ = TRY(find_job(db_, report.job_id));
        if (!job_) {
            if (report.kind != ReportKind::declared || fault != nullptr)
                return refuse(ack, "this job is not known here");
            return declare(report, ack);
        }
        if (job_->agent_id != agent_.id) return refuse(ack, "this job is another agent's");
        const bool began_alone = report.kind == ReportKind::declared && report.fence == 0 && fault == nullptr;
        if (began_alone && is_unclaimed(*job_)) return take_over(report, ack);
        if (report.fence < job_->fence) return refuse(ack, "the job was handed out again under a newer number");
        if (report.fence > job_->fence) return refuse(ack, "this number was never given out");
        ack.seq = job_->seq;
        if (report.seq <= job_->seq) return {};
        // Before the hole: what is missing there may have been taken by a control plane that was put back since.
        if (job_->state == JobState::finished) return refuse(ack, "the job has ended here");
        if (report.seq != job_->seq + 1) return {};  // a hole: the agent sends again from there
        return take_next(report, fault, ack);
    }

    Result<> take_next(const Report& report, const std::string* fault, ReportAck& ack) {
        if (!renew(*job_, report.fence, now_)) return refuse(ack, "the job has ended here");
        job_->seq = report.seq;
        job_->moved_at = now_;
        job_changed_ = true;
        const Result<> applied =
            fault == nullptr ? part([&] { return apply(report); }) : Result<>(Error(Errc::invalid, *fault));
        if (!applied) {
            if (!is_rejected_alone(applied.error())) return applied;
            TRY(reject(report, applied.error(), fault != nullptr, ack));
        }
        ack.seq = report.seq;
        return manner_ == Manner::together && only_tells(report.kind) ? Result<>() : settle();
    }

    bool is_rejected_alone(const Error& error) const { return manner_ == Manner::one_by_one && is_its_own(error); }

    // What a failed act wrote, and what it did to the job, is undone where reports are taken one by one.
    template <class Act>
    Result<> part(Act act) {
        if (manner_ == Manner::together) return act();
        const std::optional<Job> before = job_;
        auto done = sql::apart(db_, [&]() -> Result<> {
            TRY(act());
            return settle_account();
        });
        if (done) return done;
        job_ = before;
        account_.reset();
        return done;
    }

    Result<> settle_account() {
        if (account_) TRY(account_->store(now_));
        account_.reset();
        return {};
    }

    // Stores what was taken so far.
    Result<> settle() {
        TRY(settle_account());
        if (job_ && job_changed_) TRY(update_job(db_, *job_));
        job_.reset();
        job_changed_ = false;
        return {};
    }

    static Result<> refuse(ReportAck& ack, std::string message) {
        ack.refused = true;
        ack.message = std::move(message);
        return {};
    }

    Result<> reject(const Report& report, const Error& error, bool unread, ReportAck& ack) {
        Job& job = *job_;
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
        const Result<> declared = part([&]() -> Result<> {
            job_ = TRY(declare_job(db_, agent_, report, now_));
            return {};
        });
        if (!declared) {
            if (!is_rejected_alone(declared.error())) return declared;
            return refuse(ack, declared.error().message());
        }
        stir_.operations.insert(job_->operation_id);
        return taken(report, ack);
    }

    // A run of a schedule that we ordered and that the agent began by itself meanwhile: it is one.
    Result<> take_over(const Report& report, ReportAck& ack) {
        auto operation = TRY(operations::find_operation(db_, job_->operation_id));
        const auto backup = TRY(operations::find_backup_row(db_, job_->operation_id));
        if (!operation || !backup || backup->deleted_at || !report.declared || report.declared->kind != job_->kind) {
            return refuse(ack, "this job is not known here");
        }
        stir_.operations.insert(operation->id);
        const Result<> begun = part([&] {
            adopt(*job_, now_);
            return operations::begin(db_, *operation, job_->attempt, now_);
        });
        if (!begun) return is_rejected_alone(begun.error()) ? refuse(ack, begun.error().message()) : begun;
        return taken(report, ack);
    }

    Result<> taken(const Report& report, ReportAck& ack) {
        job_->seq = ack.seq = report.seq;
        job_changed_ = true;
        return settle();
    }

    // The account of what the report speaks of: the one that is open, or another one. False: nothing here.
    Result<bool> open_account(const Report& report) {
        const std::string& named = report.operation_id;
        const std::string id = named.empty() || named == job_->id ? job_->operation_id : named;
        if (account_ && account_->operation().id == id) return true;
        TRY(settle_account());
        auto found = TRY(operations::find_operation(db_, id));
        if (!found && id != job_->operation_id) found = TRY(open_inner_operation(db_, *job_, id, now_));
        if (!found || found->job_id != job_->id) return false;
        account_.emplace(db_, std::move(*found));
        return true;
    }

    Result<> apply(const Report& report) {
        if (!TRY(open_account(report))) {  // kept in order, but there is nothing here that it speaks of
            log::warning("report about an unknown operation", {{"job", job_->id}, {"operation", report.operation_id}});
            return {};
        }
        stir_.operations.insert(account_->operation().id);
        if (only_tells(report.kind)) return tell(report);
        TRY(account_->store(now_));
        OperationRow& operation = account_->operation();
        switch (report.kind) {
            case ReportKind::accepted:
                accept(*job_, now_);
                return operations::begin(db_, operation, job_->attempt, now_);
            case ReportKind::rejected:
                return rejected(report, *job_, operation);
            case ReportKind::finished:
                return finished(report, *job_, operation);
            default:
                return {};
        }
    }

    Result<> tell(const Report& report) {
        if (report.plan && report.kind == ReportKind::planned) account_->plan(*report.plan);
        if (report.step && report.kind == ReportKind::step) account_->step(*report.step, now_);
        if (report.progress && report.kind == ReportKind::progress) account_->progress(*report.progress, now_);
        if (!report.copy || report.kind != ReportKind::copy) return {};
        const auto& backup = account_->operation().backup_id;
        if (backup) stir_.operations.insert(*backup);
        return account_->copy(*report.copy, now_);
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
    const Manner manner_;
    Stir& stir_;
    // The job and the operation that reports came of last, while there is something to store of them.
    std::optional<Job> job_;
    bool job_changed_ = false;
    std::optional<operations::Account> account_;
};

}  // namespace

Result<ReportAnswer> take_reports(sql::Database& db, const store::Agent& agent, const ReportBatch& batch, TimeMs now,
                                  Stir& stir, const ReportFaults& faults) {
    if (faults.empty()) {
        auto taken =
            sql::apart(db, [&] { return Intake(db, agent, now, Manner::together, stir).take_all(batch, faults); });
        if (taken || !is_its_own(taken.error())) return taken;
    }
    return Intake(db, agent, now, Manner::one_by_one, stir).take_all(batch, faults);
}

}  // namespace backstay::dispatch
