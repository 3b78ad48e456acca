#include "control-plane/store/schedules.h"

#include <fmt/format.h>

#include "common/json/json.h"
#include "control-plane/store/id_list.h"
#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

constexpr std::string_view kColumns =
    "s.environment_id, s.id, s.organization_id, s.enabled, s.paused, s.time_zone, s.db_frequency, s.db_cron, "
    "s.full_frequency, s.full_cron, s.destination_ids, s.wal_enabled, s.wal_retention_days, s.retention, s.next_db_at, "
    "s.next_full_at, s.created_at, s.updated_at, s.wal_since";

Result<Schedule> read(const sql::Statement& row) {
    Schedule out;
    out.environment_id = row.text(0);
    out.id = row.text(1);
    out.organization_id = row.text(2);
    out.enabled = row.boolean(3);
    out.paused = row.boolean(4);
    out.time_zone = row.text(5);
    out.db.frequency = row.text(6);
    out.db.cron = row.text(7);
    out.full.frequency = row.text(8);
    out.full.cron = row.text(9);
    out.destination_ids = TRY(json::decode_text<std::vector<std::string>>(row.text(10)));
    out.wal_enabled = row.boolean(11);
    out.wal_retention_days = row.integer(12);
    out.retention = TRY(json::decode_text<retention::Numbers>(row.text(13), json::kLenient));
    out.db.next = row.optional_integer(14);
    out.full.next = row.optional_integer(15);
    out.created_at = row.integer(16);
    out.updated_at = row.integer(17);
    out.wal_since = row.integer(18);
    return out;
}

Result<std::vector<Schedule>> read_all(Result<sql::Statement> opened) {
    auto rows = TRY(std::move(opened));
    std::vector<Schedule> out;
    while (TRY(rows.step())) out.push_back(TRY(read(rows)));
    return out;
}

// `rest` begins behind the schedules of environments that exist.
std::string existing(std::string_view rest) {
    return fmt::format(
        "SELECT {} FROM schedules s JOIN environments e ON e.id = s.environment_id WHERE e.deleted_at IS NULL {} ORDER "
        "BY s.environment_id",
        kColumns, rest);
}

ScheduleRun read_run(const sql::Statement& row) {
    ScheduleRun out;
    out.environment_id = row.text(0);
    out.scope = row.text(1);
    out.due_at = row.integer(2);
    out.outcome = row.text(3);
    out.backup_id = row.optional_text(4);
    out.message = row.text(5);
    out.decided_at = row.integer(6);
    return out;
}

constexpr std::string_view kRunColumns = "environment_id, scope, due_at, outcome, backup_id, message, decided_at";

}  // namespace

Result<std::optional<Schedule>> Schedules::find(std::string_view environment) {
    auto found = TRY(read_all(
        db_.query(fmt::format("SELECT {} FROM schedules s WHERE s.environment_id = $1", kColumns), {environment})));
    if (found.empty()) return std::optional<Schedule>();
    return std::optional<Schedule>(std::move(found.front()));
}

Result<> Schedules::put(const Schedule& schedule) {
    const std::string destinations = json::encode_text(schedule.destination_ids);
    const std::string retention = json::encode_text(schedule.retention);
    TRY(db_.run(
        "INSERT INTO schedules (environment_id, id, organization_id, enabled, paused, time_zone, "
        "db_frequency, db_cron, full_frequency, full_cron, destination_ids, wal_enabled, wal_retention_days, "
        "retention, next_db_at, next_full_at, created_at, updated_at, wal_since) VALUES ($1, $2, $3, $4, $5, $6, $7, "
        "$8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT (environment_id) DO UPDATE SET id = "
        "excluded.id, organization_id = excluded.organization_id, enabled = excluded.enabled, paused = "
        "excluded.paused, "
        "time_zone = excluded.time_zone, db_frequency = excluded.db_frequency, db_cron = excluded.db_cron, "
        "full_frequency = excluded.full_frequency, full_cron = excluded.full_cron, destination_ids = "
        "excluded.destination_ids, wal_enabled = excluded.wal_enabled, wal_retention_days = "
        "excluded.wal_retention_days, retention = excluded.retention, next_db_at = excluded.next_db_at, next_full_at = "
        "excluded.next_full_at, created_at = excluded.created_at, updated_at = excluded.updated_at, wal_since = "
        "excluded.wal_since",
        {schedule.environment_id, schedule.id, schedule.organization_id, schedule.enabled, schedule.paused,
         schedule.time_zone, schedule.db.frequency, schedule.db.cron, schedule.full.frequency, schedule.full.cron,
         destinations, schedule.wal_enabled, schedule.wal_retention_days, retention, schedule.db.next,
         schedule.full.next, schedule.created_at, schedule.updated_at, schedule.wal_since}));
    return {};
}

Result<> Schedules::set_next(std::string_view environment, std::string_view scope, std::optional<TimeMs> next) {
    const std::string_view sql = scope == "db" ? "UPDATE schedules SET next_db_at = $2 WHERE environment_id = $1"
                                               : "UPDATE schedules SET next_full_at = $2 WHERE environment_id = $1";
    TRY(db_.run(sql, {environment, next}));
    return {};
}

Result<> Schedules::remove(std::string_view environment) {
    TRY(db_.run("DELETE FROM schedules WHERE environment_id = $1", {environment}));
    return {};
}

Result<std::vector<std::string>> Schedules::enabled_of(const std::vector<std::string>& environments) {
    std::vector<std::string> found;
    TRY(for_each_of(db_, "SELECT environment_id FROM schedules WHERE enabled = 1 AND environment_id IN", environments,
                    [&found](const sql::Statement& row) { found.push_back(row.text(0)); }));
    return found;
}

Result<std::vector<Schedule>> Schedules::due(TimeMs now) {
    return read_all(db_.query(existing("AND (s.next_db_at <= $1 OR s.next_full_at <= $1)"), {now}));
}

Result<std::vector<Schedule>> Schedules::of_agent(std::string_view agent) {
    return read_all(db_.query(existing("AND e.agent_id = $1"), {agent}));
}

Result<std::vector<Schedule>> Schedules::all() { return read_all(db_.query(existing(""))); }

Result<std::int64_t> Schedules::naming(std::string_view destination) {
    return count_of(
        db_.query("SELECT COUNT(*) FROM schedules s JOIN environments e ON e.id = s.environment_id WHERE e.deleted_at "
                  "IS NULL AND s.enabled = 1 AND s.destination_ids LIKE '%\"' || $1 || '\"%'",
                  {destination}));
}

Result<bool> Schedules::add_run(const ScheduleRun& run) {
    const std::int64_t added = TRY(
        db_.run("INSERT INTO schedule_runs (environment_id, scope, due_at, outcome, backup_id, message, decided_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                {run.environment_id, run.scope, run.due_at, run.outcome, run.backup_id, run.message, run.decided_at}));
    return added > 0;
}

Result<> Schedules::note_by_agent(std::string_view environment, std::string_view scope, TimeMs due,
                                  std::string_view backup, TimeMs now) {
    TRY(
        db_.run("INSERT INTO schedule_runs (environment_id, scope, due_at, outcome, backup_id, decided_at) VALUES ($1, "
                "$2, $3, 'by_agent', $4, $5) ON CONFLICT (environment_id, scope, due_at) DO UPDATE SET outcome = "
                "'by_agent', backup_id = $4, message = "
                "'' WHERE schedule_runs.outcome NOT IN ('ordered', 'by_agent')",
                {environment, scope, due, backup, now}));
    return {};
}

Result<std::optional<TimeMs>> Schedules::last_made(std::string_view environment, std::string_view scope) {
    auto rows =
        TRY(db_.query("SELECT MAX(due_at) FROM schedule_runs WHERE environment_id = $1 AND scope = $2 AND outcome IN "
                      "('ordered', 'by_agent')",
                      {environment, scope}));
    TRY(rows.step());
    return rows.optional_integer(0);
}

Result<std::optional<TimeMs>> Schedules::first_unclaimed(std::string_view agent) {
    auto rows =
        TRY(db_.query("SELECT MIN(r.due_at) FROM jobs j JOIN schedule_runs r ON r.environment_id = j.environment_id "
                      "AND r.backup_id = j.id WHERE j.agent_id = $1 AND j.state <> 'finished' AND j.state <> "
                      "'accepted' AND j.attempt = 1",
                      {agent}));
    TRY(rows.step());
    return rows.optional_integer(0);
}

Result<std::optional<ScheduleRun>> Schedules::find_run(std::string_view environment, std::string_view scope,
                                                       TimeMs due) {
    return first_row(db_.query(fmt::format("SELECT {} FROM schedule_runs WHERE environment_id = $1 AND scope = $2 AND "
                                           "due_at = $3",
                                           kRunColumns),
                               {environment, scope, due}),
                     read_run);
}

Result<bool> Schedules::is_newest_run(std::string_view environment, std::string_view backup) {
    const auto found = TRY(count_of(
        db_.query("SELECT COUNT(*) FROM schedule_runs r WHERE r.environment_id = $1 AND r.backup_id = $2 AND NOT "
                  "EXISTS (SELECT 1 FROM schedule_runs l WHERE l.environment_id = $1 AND l.scope = r.scope AND "
                  "l.due_at > r.due_at)",
                  {environment, backup})));
    return found > 0;
}

Result<std::vector<ScheduleRun>> Schedules::runs(std::string_view environment, std::int64_t limit) {
    return all_rows(db_.query(fmt::format("SELECT {} FROM schedule_runs WHERE environment_id = $1 ORDER BY due_at "
                                          "DESC, scope LIMIT $2",
                                          kRunColumns),
                              {environment, limit}),
                    read_run);
}

}  // namespace backstay::store
