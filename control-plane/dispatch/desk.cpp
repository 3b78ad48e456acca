#include "control-plane/dispatch/desk.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/domain/reasons.h"
#include "common/log.h"
#include "control-plane/dispatch/archives.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/sessions.h"
#include "control-plane/dispatch/watch.h"
#include "control-plane/operations/lifecycle.h"

namespace backstay::dispatch {
namespace {

using control_plane::Assignment;
using control_plane::AssignmentsAnswer;
using control_plane::AssignmentsRequest;
using control_plane::Heartbeat;
using control_plane::HeartbeatAnswer;

// What an agent's word is weighed by, read in one round trip.
struct Standing {
    SessionRow session;
    std::vector<Job> unfinished;
};

Result<Standing> standing_of(sql::Database& db, std::string_view agent_id, sql::Question jobs) {
    const std::array questions = {session_question(agent_id), std::move(jobs)};
    auto answers = TRY(db.query_all(questions));
    Standing out;
    out.session = TRY(read_session(std::move(answers[0])));
    out.unfinished = TRY(read_jobs(std::move(answers[1])));
    return out;
}

bool is_out(const Job& job) { return job.state == JobState::leased || job.state == JobState::accepted; }

// Runs `apply` on the job's operation, when it has one.
template <class Apply>
Result<> on_operation(sql::Database& db, const Job& job, Stir& stir, Apply apply) {
    auto operation = TRY(operations::find_operation(db, job.operation_id));
    if (!operation) return {};
    stir.operations.insert(operation->id);
    return apply(*operation);
}

Result<> end_by_us(sql::Database& db, const Job& job, TimeMs now, Stir& stir) {
    stir.agents.insert(job.agent_id);
    return on_operation(db, job, stir, [&](operations::OperationRow& operation) -> Result<> {
        if (operations::is_ended(operation)) return {};
        if (job.outcome == "cancelled") return operations::cancel(db, operation, job.message, now);
        return operations::fail(db, operation, job.reason, job.message, now);
    });
}

Result<json::Object> order_of(sql::Database& db, const Job& job, const OpenDestination& open) {
    const json::Value stored = TRY(json::parse(job.order));
    if (!stored.is_object()) return Error(Errc::corrupted, "the stored order is no object");
    return with_secrets(stored.get_object(), [&](std::string_view id) { return open(db, job.organization_id, id); });
}

// What stays as it is however often one looks: a destination that is gone, an order or a secret that cannot be read.
bool is_final(const Error& error) {
    return error.code() == Errc::not_found || error.code() == Errc::corrupted || error.code() == Errc::invalid;
}

// The order cannot be had: the job fails, or waits while the cause may pass and it has not waited for a day.
Result<> put_off(sql::Database& db, Job& job, const Error& error, TimeMs now, Stir& stir) {
    if (!is_final(error) && now - job.waiting_since < kUnclaimedMs) {
        log::warning("job not handed out", {{"job", job.id}, {"error", error.message()}});
        job.not_before = now + kOpenAgainMs;
        return update_job(db, job);
    }
    const bool gone = error.code() == Errc::not_found;
    finish(job, "failed", gone ? reason::kNoDestination : reason::kInternalError, error.message());
    TRY(update_job(db, job));
    return end_by_us(db, job, now, stir);
}

Assignment make_assignment(const Job& job, json::Object order) {
    Assignment assignment;
    assignment.job_id = job.id;
    assignment.fence = job.fence;
    assignment.attempt = job.attempt;
    assignment.kind = job.kind;
    assignment.lease_ms = kLeaseMs;
    assignment.order = std::move(order);
    return assignment;
}

bool occupies(const Job& job) { return job.environment_id && occupies_environment(job.kind); }

class Counter {
public:
    Counter(sql::Database& db, const OpenDestination& open, TimeMs now, Stir& stir)
        : db_(db), open_(open), now_(now), stir_(stir) {}

    Result<AssignmentsAnswer> serve(std::vector<Job> jobs, std::int32_t free_slots, TimeMs heard_at) {
        for (Job& job : jobs) {
            if (is_out(job) && occupies(job)) busy_.insert(*job.environment_id);
        }
        slots_ = free_slots;
        for (Job& job : jobs) {
            if (is_out(job)) TRY(tell_again(job));
        }
        // What others wait for goes first.
        std::stable_partition(jobs.begin(), jobs.end(), [](const Job& job) { return job.kind != "verify"; });
        for (Job& job : jobs) {
            if (may_hand_out(job, now_, heard_at)) TRY(hand(job));
        }
        return std::move(answer_);
    }

private:
    Result<> tell_again(Job& job) {
        if (job.state == JobState::leased && !is_quick(job.kind)) --slots_;
        if (!due_to_tell(job, now_)) return {};
        job.told_at = now_;
        if (job.cancel_requested) {
            answer_.cancel.push_back(job.id);
        } else {
            auto order = order_of(db_, job, open_);
            if (!order) return put_off(db_, job, order.error(), now_, stir_);
            answer_.assignments.push_back(make_assignment(job, std::move(*order)));
        }
        return update_job(db_, job);
    }

    Result<> hand(Job& job) {
        if (!is_quick(job.kind) && slots_ <= 0) return {};
        if (occupies(job) && busy_.contains(*job.environment_id)) return {};
        auto order = order_of(db_, job, open_);
        if (!order) return put_off(db_, job, order.error(), now_, stir_);
        job = hand_out(std::move(job), now_);
        if (!is_quick(job.kind)) --slots_;
        if (occupies(job)) busy_.insert(*job.environment_id);
        log::info("job handed out",
                  {{"job", job.id}, {"kind", job.kind}, {"agent", job.agent_id}, {"fence", job.fence}});
        answer_.assignments.push_back(make_assignment(job, std::move(*order)));
        return update_job(db_, job);
    }

    sql::Database& db_;
    const OpenDestination& open_;
    TimeMs now_;
    Stir& stir_;
    std::int32_t slots_ = 0;
    std::set<std::string> busy_;
    AssignmentsAnswer answer_;
};

Result<> renew_held(sql::Database& db, const store::Agent& agent, const control_plane::HeldJob& held, TimeMs now,
                    HeartbeatAnswer& answer, Stir& stir) {
    auto job = TRY(find_job(db, held.job_id));
    // One that the agent began by itself may not have been declared yet: its outbox will tell.
    if (!job && held.fence == 0) return {};
    // A scheduled run that it began before it could hear of our order: its outbox tells, and it is adopted.
    if (job && held.fence == 0 && job->agent_id == agent.id && is_unclaimed(*job)) return {};
    const JobState before = job ? job->state : JobState::finished;
    if (!job || job->agent_id != agent.id || !renew(*job, held.fence, now)) {
        answer.lost.push_back(held);
        return {};
    }
    TRY(update_job(db, *job));
    if (before != JobState::queued) return {};
    // It was given up for lost and is not: what it did goes on.
    return on_operation(db, *job, stir, [&](operations::OperationRow& operation) -> Result<> {
        operation.phase = Phase::running;
        return operations::refresh(db, operation, now);
    });
}

}  // namespace

Result<> enqueue(sql::Database& db, NewJob wanted, TimeMs now, Stir& stir) {
    operations::OperationRow& operation = wanted.operation;
    operation.job_id = operation.id;
    operation.created_at = now;
    Job job;
    job.id = operation.id;
    job.kind = wanted.kind;
    job.organization_id = operation.organization_id;
    job.agent_id = wanted.agent_id;
    job.environment_id = operation.environment_id;
    job.backup_id = operation.backup_id;
    job.operation_id = operation.id;
    job.order = json::serialize(json::Value(without_secrets(std::move(wanted.order))));
    job.created_at = job.not_before = job.waiting_since = now;
    job.timeout_ms = wanted.timeout_ms;
    TRY(insert_job(db, job));
    TRY(operations::insert_operation(db, operation));
    stir.agents.insert(job.agent_id);
    // The verdict of a pending operation, and the stream's first event.
    return operations::wait_again(db, operation, "waiting for the agent", now);
}

Result<bool> cancel_job(sql::Database& db, std::string_view job_id, TimeMs now, Stir& stir) {
    auto job = TRY(find_job(db, job_id));
    if (!job || job->state == JobState::finished) return true;
    const bool ended = request_cancel(*job);
    TRY(update_job(db, *job));
    stir.agents.insert(job->agent_id);
    if (ended) TRY(end_by_us(db, *job, now, stir));
    return ended;
}

Result<HeartbeatAnswer> take_heartbeat(sql::Database& db, const store::Agent& agent, const Heartbeat& heartbeat,
                                       TimeMs now, Stir& stir) {
    Standing standing = TRY(standing_of(db, agent.id, unfinished_question(agent.id)));
    TRY(meet(db, agent.id, standing.session, heartbeat.instance_id, true, now));
    store::AgentSigns signs;
    signs.instance_id = heartbeat.instance_id;
    signs.version = heartbeat.agent_version;
    signs.protocol_version = heartbeat.protocol_version;
    signs.seen_at = now;
    signs.clock_skew_ms = heartbeat.sent_at.ms - now;
    if (heartbeat.inventory) signs.inventory = json::encode_text(*heartbeat.inventory);
    TRY(store::Agents(db).note_signs(agent.id, signs));
    if (heartbeat.wal) TRY(take_archives(db, agent, *heartbeat.wal, heartbeat.sent_at.ms, now));

    TRY(watch_heartbeat(db, agent, heartbeat, now));

    HeartbeatAnswer answer;
    answer.server_time = {now};
    answer.interval_ms = kHeartbeatMs;
    answer.inventory_wanted = !heartbeat.inventory && !agent.inventory_at;
    for (const control_plane::HeldJob& held : heartbeat.jobs) {
        TRY(renew_held(db, agent, held, now, answer, stir));
    }
    auto unfinished = std::move(standing.unfinished);
    if (!heartbeat.jobs.empty()) unfinished = TRY(unfinished_jobs_of_agent(db, agent.id));  // as they were renewed
    // Its poll may wait for this very heartbeat: a job whose lease ended goes out only after one.
    if (!unfinished.empty()) stir.agents.insert(agent.id);
    for (Job& job : unfinished) {
        if (!job.cancel_requested || !is_out(job)) continue;
        job.told_at = now;
        TRY(update_job(db, job));
        answer.cancel.push_back(job.id);
    }
    return answer;
}

Result<AssignmentsAnswer> next_assignments(sql::Database& db, const store::Agent& agent,
                                           const AssignmentsRequest& request, const OpenDestination& open, TimeMs now,
                                           Stir& stir) {
    Standing standing = TRY(standing_of(db, agent.id, taking_question(db, agent.id)));
    const SessionRow session = TRY(meet(db, agent.id, standing.session, request.instance_id, false, now));
    TRY(note_seen(db, agent, now));
    Counter counter(db, open, now, stir);
    return counter.serve(std::move(standing.unfinished), std::clamp(request.free_slots, 0, 16), session.heard_at);
}

Result<std::vector<SweptJob>> jobs_to_sweep(sql::Database& db, TimeMs now) {
    std::vector<SweptJob> found;
    std::map<std::string, TimeMs> heard_at;
    for (Job& job : TRY(unfinished_jobs(db))) {
        const auto [at, first] = heard_at.try_emplace(job.agent_id, 0);
        if (first) at->second = TRY(session_of(db, job.agent_id)).heard_at;
        if (sweep(job, now, at->second).what != Sweep::nothing) found.push_back({job.organization_id, job.id});
    }
    return found;
}

Result<> sweep_job(sql::Database& db, std::string_view id, TimeMs now, Stir& stir) {
    auto found = TRY(find_job(db, id));
    if (!found || found->state == JobState::finished) return {};
    Job& job = *found;
    const SessionRow session = TRY(session_of(db, job.agent_id));
    const SweepResult result = sweep(job, now, session.heard_at);
    if (result.what == Sweep::nothing) return {};
    TRY(update_job(db, job));
    if (result.what == Sweep::wait) return {};
    log::warning("job swept", {{"job", job.id}, {"kind", job.kind}, {"reason", result.reason}});
    if (result.what != Sweep::requeue) return end_by_us(db, job, now, stir);
    stir.agents.insert(job.agent_id);
    return on_operation(db, job, stir, [&](operations::OperationRow& operation) {
        return operations::wait_again(db, operation, result.message, now);
    });
}

Result<> restart_leases(sql::Database& db, TimeMs now) {
    for (Job& job : TRY(unfinished_jobs(db))) {
        restart_lease(job, now);
        TRY(update_job(db, job));
    }
    return {};
}

}  // namespace backstay::dispatch
