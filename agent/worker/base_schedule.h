// When the agent takes a base backup by itself (contract/semantics.md 6.2): when archiving was just switched on, after
// a gap or a change of timeline, and when the last one is old. At most one of a cluster at once; after a failure it
// waits.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/state/wal.h"
#include "agent/worker/rounds.h"
#include "agent/worker/worker.h"
#include "common/domain/wal_coverage.h"

namespace backstay {

// All that the decision needs.
struct BaseSituation {
    TimeMs now = 0;
    wal::Holdings holdings;  // what the archive holds, as the agent knows it
    std::int64_t every_days = 7;
    bool under_way = false;     // one waits or runs
    std::int32_t failures = 0;  // of the last attempts, one after the other
    TimeMs last_failed_at = 0;
    // What the server itself writes on: an archive may hold a clone's newer one too. nullopt: not known.
    std::optional<wal::Timeline> server_timeline;
    // When the last one that the agent began by itself was taken, by its reason.
    std::map<std::string, TimeMs> taken_at;
};

struct NextBase {
    TimeMs at = 0;       // in the past: now
    std::string reason;  // BaseBackupOrder::reason
};
// When the next one is due, as far as can be told now; nullopt: one is under way, or there is no WAL yet.
std::optional<NextBase> next_base(const BaseSituation& situation);
// The reason of the one that is due now; nullopt: none is.
std::optional<std::string> due_base(const BaseSituation& situation);

// As the agent's state says; nullopt: the cluster was never seen.
Result<std::optional<BaseSituation>> base_situation(const WalConfig& wal, sqlite::Database& database,
                                                    std::optional<wal::Timeline> server_timeline, TimeMs now);

// Looks once a minute, on a thread of its own.
class BaseSchedule {
public:
    // Of a cluster's server, as last seen; called on the schedule's thread.
    using ServerTimeline = std::function<std::optional<wal::Timeline>(const std::string& cluster)>;

    BaseSchedule(const Settings& settings, Worker& worker, ServerTimeline server_timeline);

    void start() { rounds_.start(); }
    // Something changed that may make one due. Any thread.
    void nudge() { rounds_.nudge(); }

private:
    void look(sqlite::Database& database);
    Result<> look_at(const WalConfig& wal, const AgentConfig& config, sqlite::Database& database);

    const Settings& settings_;
    Worker& worker_;
    ServerTimeline server_timeline_;
    Rounds rounds_;  // last: it ends before what it looks with
};

// The order and its row: whoever asked.
JobRequest make_base_backup(const std::string& cluster, const std::string& organization, std::string_view trigger,
                            std::string_view reason, std::string_view origin, const std::string& requested_by,
                            bool reported, TimeMs now);
// Whose folder a cluster's archive lies in: the one where its WAL is already, else the given one.
Result<std::string> archive_owner(WalRepository& archive, const std::string& cluster, const std::string& other);

}  // namespace backstay
