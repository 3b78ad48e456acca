// The schedules as the agent remembers them: what the control plane told last, and which moments were begun here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/state/jobs.h"
#include "common/sqlite/database.h"
#include "common/sqlite/transaction.h"
#include "control-plane-client/protocol.h"

namespace backstay {

// The control plane's last word; times by its clock.
struct ScheduleContact {
    std::string agent_id;  // whose schedules they are
    TimeMs heard_at = 0;
    std::int64_t clock_ahead_ms = 0;  // of ours before the control plane's
    TimeMs decided_until = 0;         // moments up to here are decided there
};

class ScheduleRepository {
public:
    explicit ScheduleRepository(sqlite::Database& database) : database_(database) {}

    // With a book: it takes the place of the stored one, without the secrets of its destinations (a folder is none).
    Result<> hear(const ScheduleContact& contact, const std::optional<control_plane::ScheduleBook>& book);
    Result<std::optional<ScheduleContact>> contact();
    Result<std::vector<control_plane::ScheduledEnvironment>> schedules();
    // What the book asks of a cluster's WAL; nullopt: nothing.
    Result<std::optional<control_plane::WalWish>> wal_wish(const std::string& cluster);

    // The newest of each environment and scope.
    Result<std::vector<control_plane::ScheduledRun>> runs();
    // Remembers the moment whose backup this job is, if it is one.
    static Result<> note_run(sqlite::Transaction& transaction, const JobRow& job);

private:
    sqlite::Database& database_;
};

}  // namespace backstay
