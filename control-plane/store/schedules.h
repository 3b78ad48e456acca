// When environments are backed up by themselves (contract/semantics.md 5), and what became of each due moment.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/domain/retention.h"
#include "control-plane/store/store.h"

namespace backstay::store {

// One type's cadence.
struct Cadence {
    std::string frequency = "none";
    std::string cron;            // empty: none
    std::optional<TimeMs> next;  // the first moment about which nothing is decided yet; in the past while it waits
};

struct Schedule {
    std::string id;
    std::string environment_id;
    std::string organization_id;
    bool enabled = true;
    bool paused = false;
    std::string time_zone = "UTC";
    Cadence db;
    Cadence full;
    std::vector<std::string> destination_ids;  // none: the organization's default
    bool wal_enabled = false;
    std::int64_t wal_retention_days = 7;
    TimeMs wal_since = 0;          // since when it asks for that
    retention::Numbers retention;  // its own; numbers_of() adds those of its organization
    TimeMs created_at = 0;
    TimeMs updated_at = 0;

    bool runs() const { return enabled && !paused; }
    Cadence& of(std::string_view scope) { return scope == "db" ? db : full; }
    const Cadence& of(std::string_view scope) const { return scope == "db" ? db : full; }
};
inline constexpr std::array<std::string_view, 2> kScheduledScopes = {"full", "db"};  // in the order of their turn

struct ScheduleRun {
    std::string environment_id;
    std::string scope;
    TimeMs due_at = 0;
    std::string outcome;  // ordered, by_agent, covered (by a full backup of the same moment), skipped, missed
    std::optional<std::string> backup_id;
    std::string message;  // why there is no backup
    TimeMs decided_at = 0;
};

class Schedules {
public:
    explicit Schedules(sql::Database& db) : db_(db) {}

    Result<std::optional<Schedule>> find(std::string_view environment);
    // Those of these environments that have one, and it is not switched off.
    Result<std::vector<std::string>> enabled_of(const std::vector<std::string>& environments);
    // Makes or replaces it, with both `next`.
    Result<> put(const Schedule& schedule);
    Result<> set_next(std::string_view environment, std::string_view scope, std::optional<TimeMs> next);
    Result<> remove(std::string_view environment);

    // Of environments that still exist: those with a moment at or before `now` that is not decided; those of one agent;
    // all of them.
    Result<std::vector<Schedule>> due(TimeMs now);
    Result<std::vector<Schedule>> of_agent(std::string_view agent);
    Result<std::vector<Schedule>> all();
    // How many schedules that are enabled name this destination.
    Result<std::int64_t> naming(std::string_view destination);

    // False: this moment was decided before, and stays as it is.
    Result<bool> add_run(const ScheduleRun& run);
    // It was made, whatever we had decided about it; a run that we ordered stays as it is.
    Result<> note_by_agent(std::string_view environment, std::string_view scope, TimeMs due, std::string_view backup,
                           TimeMs now);
    // The newest moment of which there is a backup.
    Result<std::optional<TimeMs>> last_made(std::string_view environment, std::string_view scope);
    // The oldest moment whose job the agent has not accepted yet.
    Result<std::optional<TimeMs>> first_unclaimed(std::string_view agent);
    Result<std::optional<ScheduleRun>> find_run(std::string_view environment, std::string_view scope, TimeMs due);
    // Whether this backup is of a moment, and no later one of its kind was decided.
    Result<bool> is_newest_run(std::string_view environment, std::string_view backup);
    // Newest first.
    Result<std::vector<ScheduleRun>> runs(std::string_view environment, std::int64_t limit);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
