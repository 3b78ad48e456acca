// What an ended operation, an agent's sign of life or a silence means for alerts (contract/semantics.md 10.2). Pure:
// from facts to what is found and what is over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "control-plane/alerts/alert.h"

namespace backstay::alerts {

inline constexpr std::int64_t kOfflineMs = 90'000;                // an agent was not heard for so long: warning
inline constexpr std::int64_t kOfflineLongMs = 3'600'000;         // critical
inline constexpr std::int64_t kUnreachableMs = 15 * 60'000;       // of a destination
inline constexpr std::int64_t kSkewMs = 60'000;                   // tokens and leases bear no more
inline constexpr std::int64_t kSkewLargeMs = 10 * 60'000;         // critical
inline constexpr std::int64_t kWalLagTimeouts = 10;               // of the server's archive_timeout
inline constexpr std::int64_t kUsualTimeoutSeconds = 60;          // where the server's is off or not known
inline constexpr std::int64_t kWalLagLeastSeconds = 60;           // heartbeats are 20 s apart
inline constexpr std::uint64_t kDiskLowBytes = 2ULL << 30;        // of the agent's own disks, and 5 % of them
inline constexpr std::uint64_t kDiskVeryLowBytes = 256ULL << 20;  // critical, and 1 %

struct EnvironmentName {
    std::string id;
    std::string project_id;
    std::string name;
    std::string type;  // production, staging, development
};

// What one destination made of a backup that was meant for it.
struct DestinationOutcome {
    std::string id;
    std::string name;
    bool holds_all = false;
    bool refused = false;
    std::string message;
    std::string reason;
};

// An operation that ended; `status` as its row shows it.
struct Ended {
    std::optional<EnvironmentName> environment;  // on which it acted
    std::string operation_id;
    std::string backup_id;  // or the snapshot's
    std::string scope;      // of a backup: db, full, base
    std::string status;
    std::string reason;
    std::string message;
    std::string failure_policy;  // of a snapshot
    bool check_failed = false;   // of a backup: what was stored is not what was made
    bool outdated = false;       // a newer one that can be restored is there already
    std::vector<DestinationOutcome> destinations;
};
Judgement judge_backup(const Ended& ended);
Judgement judge_copy(const Ended& ended);  // `status`: the backup's, as it is now
Judgement judge_verification(const Ended& ended);
// `damaged`: it was the backup that failed, and not only the trial.
Judgement judge_drill(const Ended& ended, bool damaged);
Judgement judge_snapshot(const Ended& ended);
Judgement judge_restore(const Ended& ended, bool is_rollback);
// `still_blocked`: of the same environment, another backup waits in vain to be removed.
Judgement judge_deletion(const Ended& ended, bool still_blocked);

struct SilentDestination {
    std::string id;
    std::string name;
    TimeMs since = 0;
    std::string message;
};
Judgement judge_destination(const SilentDestination& destination, TimeMs now);

struct DiskFact {
    std::string path;
    std::string role;  // protocol.h's DiskInfo
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
};
struct GapFact {
    TimeMs start = 0;
    TimeMs end = 0;
    std::optional<std::string> base_after;  // a base backup from which moments after the gap can be had again
    bool told = false;                      // there was an alert of it before
};
struct ArchiveFact {
    std::string cluster;
    bool enabled = false;
    std::string status;
    std::optional<std::int64_t> lag_seconds;
    std::optional<std::int64_t> archive_timeout_seconds;
    std::int64_t failed_count = 0;
    std::optional<EnvironmentName> environment;  // that shows what concerns the cluster
    std::vector<GapFact> gaps;
};
// What an agent's heartbeat says. The types judged here are conditions: what is open of them and not found is over.
struct AgentSign {
    std::string id;
    std::string name;
    std::int64_t clock_skew_ms = 0;
    std::optional<std::vector<DiskFact>> disks;  // absent: as last time
    std::optional<std::vector<ArchiveFact>> archives;
};
std::vector<Finding> judge_clock(const AgentSign& sign);
std::vector<Finding> judge_disks(const AgentSign& sign);
std::vector<Finding> judge_archives(const AgentSign& sign);

// A folder for backups on an agent's host.
struct SpaceFact {
    std::string agent_id;
    std::string agent_name;
    std::optional<std::string> destination_id;  // absent: the host's own, of which the organization knows nothing
    std::string destination_name;
    std::string path;
    std::uint64_t free_bytes = 0;
    std::uint64_t last_full_bytes = 0;  // the largest of the last full backups that went there
};
std::optional<Finding> judge_space(const SpaceFact& space);

// The window of WAL that an environment's schedule asks for.
struct WindowFact {
    EnvironmentName environment;
    std::string agent_id;
    std::int64_t days = 0;
    TimeMs since = 0;                // when it began to fill
    std::optional<TimeMs> earliest;  // the first moment that can be had back; absent: none
};
std::optional<Finding> judge_window(const WindowFact& window, TimeMs now);

// How often an environment's backups are to be restored on trial.
struct DrillFact {
    EnvironmentName environment;
    std::int64_t interval_ms = 0;
    TimeMs expected_since = 0;
    std::optional<TimeMs> last_passed_at;
};
std::optional<Finding> judge_drills(const DrillFact& fact, TimeMs now);

struct AgentSilence {
    std::string id;
    std::string name;
    TimeMs seen_at = 0;
    TimeMs listening_since = 0;  // nobody could be heard before
};
std::optional<Finding> judge_silence(const AgentSilence& silence, TimeMs now);

// One cadence of an environment's schedule, and the newest backup that it can be restored from.
struct Cadence {
    EnvironmentName environment;
    std::string scope;
    std::int64_t interval_ms = 0;
    TimeMs expected_since = 0;  // the schedule runs since then
    std::optional<TimeMs> last_restorable_at;
};
std::optional<Finding> judge_cadence(const Cadence& cadence, TimeMs now);

}  // namespace backstay::alerts
