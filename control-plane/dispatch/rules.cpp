#include "control-plane/dispatch/rules.h"

#include <algorithm>

#include "common/domain/reasons.h"
#include "common/domain/schedule.h"

namespace backstay::dispatch {
namespace {

bool is_out(const Job& job) { return job.state == JobState::leased || job.state == JobState::accepted; }

// A job that its agent started by itself has no lease: the agent may work on while the control plane is away.
bool is_own(const Job& job) { return is_out(job) && job.fence == 0; }

void queue_again(Job& job, std::int64_t delay_ms, TimeMs now) {
    job.state = JobState::queued;
    ++job.attempt;
    job.not_before = now + delay_ms;
    job.waiting_since = now;
    job.lease_until.reset();
    job.told_at.reset();
    job.started_at.reset();
    job.moved_at.reset();
}

std::string shown_span(std::int64_t ms) {
    return ms >= 2 * kHour ? std::to_string(ms / kHour) + " hours" : std::to_string(ms / kMinute) + " minutes";
}

SweepResult fail(Job& job, std::string_view reason, std::string message) {
    finish(job, "failed", reason, message);
    return {Sweep::fail, std::string(reason), std::move(message)};
}

bool is_deletion(std::string_view kind) { return kind == "delete" || kind == "delete_snapshot"; }

// What is out and is not tried again belongs to its holder: nobody else may make it, and what it did must become known,
// however long the network was away.
bool belongs_to_holder(std::string_view kind) {
    return kind == "restore" || kind == "undo" || kind == "rollback" || kind == "snapshot";
}

// How long a queued job waits for a silent agent. A snapshot that comes later than it may take is of no use to anybody.
std::int64_t patience_ms(const Job& job) {
    return job.kind == "snapshot" ? std::min(job.timeout_ms, kUnclaimedMs) : kUnclaimedMs;
}

// It ends here when its agent stays away for a day, or is back and does not know of it any more.
SweepResult wait_for_holder(Job& job, TimeMs now, TimeMs agent_heard_at) {
    if (job.lost_at && agent_heard_at > *job.lost_at) {
        job.lost_at.reset();  // it is back: one more lease to name the job or to deliver its end
        job.lease_until = now + kLeaseMs;
        job.moved_at = now;
        return {Sweep::wait, "", ""};
    }
    const bool denies_it = agent_heard_at > *job.lease_until - kLeaseMs;
    if (denies_it) return fail(job, reason::kAgentOffline, "the agent does not know of this job any more");
    if (!job.lost_at) {
        job.lost_at = now;
        return {Sweep::wait, "", ""};
    }
    if (now - *job.lost_at < kUnclaimedMs) return {};
    return fail(job, reason::kAgentOffline, "the agent stayed away for 24 hours");
}

// An agent that lost its state is here, and neither names the job nor reports on it: what it held back has been
// delivered long since.
SweepResult sweep_own(Job& job, TimeMs now, TimeMs agent_heard_at) {
    const TimeMs moved_at = job.moved_at.value_or(job.created_at);
    if (now - std::max(moved_at, agent_heard_at) >= kUnclaimedMs) {
        return fail(job, reason::kAgentOffline, "the agent stayed away for 24 hours");
    }
    if (agent_heard_at - moved_at < kNoProgressMs) return {};
    if (!job.lost_at || *job.lost_at < moved_at) {
        job.lost_at = now;
        return {Sweep::wait, "", ""};
    }
    if (now - *job.lost_at < kNoProgressMs || agent_heard_at - *job.lost_at < kNoProgressMs / 2) return {};
    return fail(job, reason::kAgentOffline, "the agent does not know of this job any more");
}

SweepResult end_lease(Job& job, TimeMs now) {
    if (job.cancel_requested) {
        finish(job, "cancelled", reason::kCancelled, "the agent went away while it was asked to stop");
        return {Sweep::cancel, std::string(reason::kCancelled), job.message};
    }
    const std::string silent = "the agent has not been heard of since it took the job";
    if (job.state == JobState::leased) {  // never accepted: nothing was tried
        queue_again(job, 0, now);
        --job.attempt;
    } else if (const auto delay = retry_delay_ms(job.kind, job.attempt)) {
        queue_again(job, *delay, now);
    } else {
        return fail(job, reason::kAgentOffline, silent);
    }
    job.lost_at = now;
    return {Sweep::requeue, std::string(reason::kAgentOffline), silent};
}

}  // namespace

bool is_quick(std::string_view kind) { return is_deletion(kind) || kind == "undo" || kind == "test_destination"; }

bool occupies_environment(std::string_view kind) {
    return kind == "backup" || kind == "restore" || kind == "undo" || kind == "snapshot" || kind == "rollback";
}

std::optional<std::int64_t> retry_delay_ms(std::string_view kind, std::int32_t attempt) {
    if (is_deletion(kind)) return schedule::retry_delay_ms(attempt).value_or(kHour);
    if (belongs_to_holder(kind) || kind == "test_destination") return std::nullopt;
    return schedule::retry_delay_ms(attempt);
}

bool may_hand_out(const Job& job, TimeMs now, TimeMs agent_heard_at) {
    if (job.state != JobState::queued || job.cancel_requested || now < job.not_before) return false;
    return !job.lost_at || agent_heard_at > *job.lost_at;
}

Job hand_out(Job job, TimeMs now) {
    job.state = JobState::leased;
    ++job.fence;
    job.seq = 0;
    job.lease_until = now + kLeaseMs;
    job.told_at = now;
    job.lost_at.reset();
    return job;
}

bool due_to_tell(const Job& job, TimeMs now) {
    const bool something = job.cancel_requested ? is_out(job) : job.state == JobState::leased;
    return something && (!job.told_at || now - *job.told_at >= kOfferAgainMs || now < *job.told_at);
}

bool renew(Job& job, std::int64_t fence, TimeMs now) {
    if (fence != job.fence || job.state == JobState::finished) return false;
    if (job.fence == 0) {
        if (!is_out(job)) return false;
        job.moved_at = now;
        job.lost_at.reset();
        return true;
    }
    if (job.state == JobState::queued) {
        if (!job.lost_at) return false;  // it ended this attempt by itself
        job.state = JobState::accepted;
        job.attempt = std::max(1, job.attempt - 1);
        job.lost_at.reset();
        job.started_at = now;
        job.moved_at = now;
    }
    if (job.lost_at) job.moved_at = now;  // what it did meanwhile could not be told
    job.lost_at.reset();
    job.lease_until = now + kLeaseMs;
    return true;
}

void accept(Job& job, TimeMs now) {
    if (job.state != JobState::leased) return;
    job.state = JobState::accepted;
    job.told_at.reset();
    job.started_at = now;
    job.moved_at = now;
}

bool is_unclaimed(const Job& job) {
    const bool waits = job.state == JobState::queued || job.state == JobState::leased;
    const bool given_up = job.state == JobState::finished && job.reason == reason::kAgentOffline;
    return job.attempt == 1 && !job.started_at && !job.cancel_requested && (waits || given_up);
}

void adopt(Job& job, TimeMs now) {
    job.state = JobState::accepted;
    job.fence = 0;
    job.seq = 0;
    job.lease_until.reset();
    job.lost_at.reset();
    job.told_at.reset();
    job.started_at = now;
    job.moved_at = now;
    job.outcome.clear();
    job.reason.clear();
    job.message.clear();
}

SweepResult sweep(Job& job, TimeMs now, TimeMs agent_heard_at) {
    if (job.state == JobState::queued) {
        const std::int64_t patience = patience_ms(job);
        const bool stays_away = now - std::max(job.waiting_since, agent_heard_at) >= patience;
        if (stays_away && !is_deletion(job.kind)) {
            return fail(job, reason::kAgentOffline, "the agent stayed away for " + shown_span(patience));
        }
        return {};
    }
    if (!is_out(job)) return {};
    if (is_own(job)) return sweep_own(job, now, agent_heard_at);
    if (job.lease_until && now >= *job.lease_until) {
        if (belongs_to_holder(job.kind) && job.state == JobState::accepted) {
            return wait_for_holder(job, now, agent_heard_at);
        }
        return end_lease(job, now);
    }
    if (job.started_at && now - *job.started_at >= job.timeout_ms) {
        return fail(job, reason::kTimeout,
                    "it took longer than " + std::to_string(job.timeout_ms / kMinute) + " minutes");
    }
    if (job.moved_at && now - *job.moved_at >= kNoProgressMs) {
        return fail(job, reason::kTimeout, "nothing moved for 15 minutes");
    }
    return {};
}

Next end_attempt(Job& job, const AttemptEnd& end, TimeMs now) {
    if (end.outcome == "cancelled" || (job.cancel_requested && end.outcome != "succeeded")) {
        finish(job, "cancelled", reason::kCancelled, "");
        return Next::cancelled;
    }
    const bool passes = end.transient || end.outcome == "interrupted";
    if (end.outcome != "succeeded" && passes && (job.fence != 0 || end.of_schedule)) {
        if (const auto delay = retry_delay_ms(job.kind, job.attempt)) {
            queue_again(job, *delay, now);
            return Next::retry;
        }
    }
    finish(job, end.outcome == "succeeded" ? "succeeded" : "failed", end.reason, "");
    return Next::finished;
}

void finish(Job& job, std::string_view outcome, std::string_view reason, std::string_view message) {
    job.state = JobState::finished;
    job.outcome = outcome;
    job.reason = reason;
    job.message = message;
    job.lease_until.reset();
    job.lost_at.reset();
    job.told_at.reset();
}

bool request_cancel(Job& job) {
    if (job.state == JobState::finished) return true;
    job.cancel_requested = true;
    job.told_at.reset();
    if (is_out(job)) return false;
    finish(job, "cancelled", reason::kCancelled, "cancelled before it began");
    return true;
}

void restart_lease(Job& job, TimeMs now) {
    if (!is_out(job)) return;
    if (job.fence != 0) job.lease_until = std::max(job.lease_until.value_or(0), now + kLeaseMs);
    job.moved_at = now;
}

namespace {

std::string_view installation_of(std::string_view instance_id) {
    const std::size_t dot = instance_id.find('.');
    return dot == std::string_view::npos ? std::string_view() : instance_id.substr(0, dot);
}

}  // namespace

bool is_duplicate(const AgentSession& session, std::string_view instance_id, TimeMs now) {
    if (session.instance_id.empty() || session.instance_id == instance_id || session.gone) return false;
    const std::string_view installation = installation_of(instance_id);
    if (!installation.empty() && installation == installation_of(session.instance_id)) return false;
    return now - session.seen_at < kAliveMs;
}

}  // namespace backstay::dispatch
