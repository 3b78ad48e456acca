// The rules of dispatch: pure functions over one job and the time, so that leases, silence and retries are tested with
// a clock moved by hand. What they decide, the caller writes in one transaction.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace backstay::dispatch {

inline constexpr TimeMs kMinute = 60'000;
inline constexpr TimeMs kHour = 60 * kMinute;

inline constexpr std::int64_t kLeaseMs = 2 * kMinute;        // renewed by each heartbeat that names the job
inline constexpr std::int64_t kHeartbeatMs = 20'000;         // asked of agents
inline constexpr std::int64_t kAliveMs = 90'000;             // an agent heard of within this time is alive
inline constexpr std::int64_t kOfferAgainMs = 5'000;         // an assignment not yet accepted, a cancel not yet obeyed
inline constexpr std::int64_t kOpenAgainMs = 30'000;         // an order whose destinations could not be looked up
inline constexpr std::int64_t kUnclaimedMs = 24 * kHour;     // a queued job whose agent stays away fails
inline constexpr std::int64_t kNoProgressMs = 15 * kMinute;  // a running job that moves nothing fails
inline constexpr std::int64_t kBackupTimeoutMs = 6 * kHour;
inline constexpr std::int64_t kRestoreTimeoutMs = 12 * kHour;
inline constexpr std::int64_t kRollbackTimeoutMs = 6 * kHour;

enum class JobState {
    queued,    // waits for its agent, or for its next attempt
    leased,    // handed out, not yet accepted
    accepted,  // the agent works on it
    finished,
};
BOOST_DESCRIBE_ENUM(JobState, queued, leased, accepted, finished)

struct Job {
    std::string id;
    std::string kind;  // protocol.h, Assignment::kind
    std::string organization_id;
    std::string agent_id;
    std::optional<std::string> environment_id;  // on which it acts; a restore's is its target
    std::optional<std::string> backup_id;       // which backup or snapshot it makes, reads, copies or removes
    std::string operation_id;                   // what its reports are about; ours carry the job's own id
    std::string order;  // JSON; destinations by id only, their configuration is added when handed out
    JobState state = JobState::queued;
    std::int64_t fence = 0;  // 0 stays 0 for a job that the agent started by itself
    std::int64_t seq = 0;    // the last report taken under this fence
    std::int32_t attempt = 1;
    bool cancel_requested = false;
    TimeMs created_at = 0;
    TimeMs not_before = 0;              // of the next hand-out
    TimeMs waiting_since = 0;           // since when it is queued
    std::optional<TimeMs> lease_until;  // leased and accepted jobs; absent for the agent's own
    std::optional<TimeMs> lost_at;      // queued again because its lease ended; its agent may still hold it
    std::optional<TimeMs> told_at;      // when the assignment or the cancel was last sent
    std::optional<TimeMs> started_at;   // first acceptance of this attempt
    std::optional<TimeMs> moved_at;     // the last report that was more than a repetition
    std::int64_t timeout_ms = kBackupTimeoutMs;
    std::string outcome;  // of a finished job: succeeded, failed, cancelled
    std::string reason;   // its reason code
    std::string message;
};

// Quick jobs are handed out whatever else runs on the agent.
bool is_quick(std::string_view kind);

// Works on its environment's database, so that no second one begins beside it; deletions and copies touch none.
bool occupies_environment(std::string_view kind);

// When a job of this kind that failed in its `attempt`-th attempt is tried again, for a cause that may pass; absent:
// not at all. Deletions never give up; a restore or a rollback is never started again by itself, people must know when
// it happens; a snapshot neither, whoever waits for it before a deployment must know at once.
std::optional<std::int64_t> retry_delay_ms(std::string_view kind, std::int32_t attempt);

// Whether the job may go out now. `agent_heard_at`: the agent's last heartbeat. A job whose lease ended goes out again
// only after a heartbeat in which the agent had the chance to say that it still holds it.
bool may_hand_out(const Job& job, TimeMs now, TimeMs agent_heard_at);
// Handed out: a new fence, a new lease.
Job hand_out(Job job, TimeMs now);

// Whether the assignment (of a leased job) or the cancel (of a running one) is due to be sent, again.
bool due_to_tell(const Job& job, TimeMs now);

// A heartbeat or a report names (job, fence): renews the lease, and gives one that ended back to its holder as long as
// nobody else got the job. False: the lease is lost.
bool renew(Job& job, std::int64_t fence, TimeMs now);

void accept(Job& job, TimeMs now);

// Nobody ever accepted it, and nobody stopped it: an agent that began the same run by itself may have it.
bool is_unclaimed(const Job& job);
// The agent began it by itself, before it heard that it was ordered.
void adopt(Job& job, TimeMs now);

// What time does to a job.
enum class Sweep {
    nothing,
    wait,     // only remembered in the job
    requeue,  // the lease ended; requeue() was applied
    cancel,   // the lease ended and somebody had asked to stop
    fail,     // `reason` and `message` say why
};
struct SweepResult {
    Sweep what = Sweep::nothing;
    std::string reason;
    std::string message;
};
SweepResult sweep(Job& job, TimeMs now, TimeMs agent_heard_at);

// How an attempt ended, in the agent's words (protocol.h, JobFinish and the rejection).
struct AttemptEnd {
    std::string outcome;  // succeeded, failed, cancelled, interrupted
    std::string reason;
    bool transient = false;
    bool of_schedule =
        false;  // a scheduled moment's, which nobody waits for on the host: also what the agent began alone
};
enum class Next { finished, cancelled, retry };
// Decides and applies: a retry is queued with its delay, anything else finishes the job.
Next end_attempt(Job& job, const AttemptEnd& end, TimeMs now);

void finish(Job& job, std::string_view outcome, std::string_view reason, std::string_view message);

// Asks to stop. True: the job was not out and is finished now; false: its agent must be told.
bool request_cancel(Job& job);

// After the control plane itself was away: nobody could renew, so every lease starts anew.
void restart_lease(Job& job, TimeMs now);

// Two processes with one identity: whether a second instance is to be refused. An instance id may begin with its
// installation and a dot; of two processes of one installation the lock of its state folder says that the older is
// dead.
struct AgentSession {
    std::string instance_id;  // empty: none yet
    TimeMs seen_at = 0;       // any sign of life
    bool gone = false;        // its connection broke while it waited: the process ended
};
bool is_duplicate(const AgentSession& session, std::string_view instance_id, TimeMs now);

}  // namespace backstay::dispatch
