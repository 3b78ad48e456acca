// Schedules go on while the control plane is away: the agent keeps what it was told last and runs a moment itself when
// nobody has decided about it for long enough. Such a run has the id that the control plane would give it, so that both
// know it as one.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "agent/state/schedules.h"
#include "agent/worker/rounds.h"
#include "agent/worker/worker.h"
#include "common/domain/schedule.h"

namespace backstay {

// All that the decision about one schedule needs; times by the control plane's clock.
struct AloneSituation {
    TimeMs now = 0;
    std::int64_t clock_ahead_ms = 0;  // of the host's before the control plane's
    TimeMs heard_at = 0;              // when the control plane last spoke
    TimeMs decided_until = 0;         // moments up to here are decided
    std::int64_t away_after_ms = schedule::kAloneAfterMs;
    std::map<std::string, TimeMs> begun;  // scope → the newest moment that was begun here
    bool busy = false;                    // something works on the database
};

struct AloneRun {
    std::string scope;
    TimeMs due = 0;
};

// The one run to begin now, full ones first; nullopt: none. An error: a zone or a cron that is not known here.
Result<std::optional<AloneRun>> due_alone(const control_plane::ScheduledEnvironment& schedule,
                                          const AloneSituation& situation);

// Whether a run that was begun here, and failed for a cause that may pass, begins again now: while nobody else can
// order it, as often and after such times as the control plane would.
// By the control plane's clock; nullopt: it does not, or not in time.
std::optional<TimeMs> repeat_due(const JobRow& failed, const schedule::Slot& slot, const AloneSituation& situation);
bool repeats_alone(const JobRow& failed, const schedule::Slot& slot, const AloneSituation& situation);

class OwnSchedule {
public:
    OwnSchedule(const Settings& settings, Worker& worker);

    // Looks every few seconds, on a thread of its own.
    void start() { rounds_.start(); }
    // What a heartbeat says of schedules, and what its answer said. Any thread.
    void tell(sqlite::Database& database, control_plane::Heartbeat& heartbeat);
    void hear(sqlite::Database& database, const control_plane::HeartbeatAnswer& answer);
    // With their secrets, as told since the start. Any thread.
    std::vector<DestinationOrder> destinations() const;
    // One look.
    Result<> look(sqlite::Database& database);

private:
    Result<> look_at(const control_plane::ScheduledEnvironment& schedule, const ScheduleContact& contact,
                     sqlite::Database& database);
    // `before`: the attempt that failed.
    Result<> begin(const control_plane::ScheduledEnvironment& schedule, const AloneRun& run,
                   const std::optional<JobRow>& before, sqlite::Database& database);
    Result<> repeat(const control_plane::ScheduledEnvironment& schedule, const AloneSituation& situation,
                    sqlite::Database& database);
    std::vector<DestinationOrder> reachable(const control_plane::ScheduledEnvironment& schedule) const;

    const Settings& settings_;
    Worker& worker_;
    mutable std::mutex mutex_;
    std::string version_;                           // of the book that was told since the start
    std::map<std::string, DestinationOrder> open_;  // destinations with their secrets, by id: in memory only
    std::string complained_;                        // the run that could not begin: said once
    Rounds rounds_;                                 // last: it ends before what it looks with
};

}  // namespace backstay
