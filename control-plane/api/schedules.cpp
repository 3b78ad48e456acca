#include "control-plane/api/schedules.h"

#include "common/ids.h"
#include "control-plane/api/operation_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/pitr.h"
#include "control-plane/api/scope.h"
#include "control-plane/schedule/rules.h"
#include "control-plane/store/schedules.h"

namespace backstay::api {
namespace {

using auth::Permission;
using store::Schedule;

constexpr std::string_view kPath = "/api/environments/{environmentId}/backup-schedule";
constexpr std::int64_t kRunsShown = 50;

http::Response schedule_answer(const Schedule& schedule, TimeMs now) {
    json::Object out = json::encode(schedule.retention).as_object();
    out["id"] = schedule.id;
    out["environmentId"] = schedule.environment_id;
    out["enabled"] = schedule.enabled;
    out["paused"] = schedule.paused;
    out["timezone"] = schedule.time_zone;
    out["dbFrequency"] = schedule.db.frequency;
    out["dbCron"] = schedule.db.cron;
    out["fullFrequency"] = schedule.full.frequency;
    out["fullCron"] = schedule.full.cron;
    out["nextDbBackupAt"] = time_answer(schedule::shown_next(schedule, schedule.db, now));
    out["nextFullBackupAt"] = time_answer(schedule::shown_next(schedule, schedule.full, now));
    out["destinationIds"] = json::encode(schedule.destination_ids);
    out["walEnabled"] = schedule.wal_enabled;
    out["walRetentionDays"] = schedule.wal_retention_days;
    // Beyond the contract.
    out["createdAt"] = to_rfc3339(schedule.created_at);
    out["updatedAt"] = to_rfc3339(schedule.updated_at);
    return json_answer(200, json::Value(std::move(out)));
}

Result<Schedule> find_schedule(sqlite::Database& db, const store::Environment& environment) {
    auto found = TRY(store::Schedules(db).find(environment.id));
    if (found) return std::move(*found);
    return problem(404, "schedule_not_found", "this environment has no backup schedule");
}

Result<http::Response> list_presets(Call&, sqlite::Database&) {
    json::Array out;
    for (const schedule::Preset& preset : schedule::kPresets) {
        out.push_back(json::Object{{"cron", preset.cron}, {"label", preset.label}});
    }
    return json_answer(200, json::Value(std::move(out)));
}

Result<http::Response> show(Call& call, sqlite::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const Schedule schedule = TRY(find_schedule(db, environment));
    return schedule_answer(schedule, call.now);
}

struct ScheduleRequest {
    std::optional<bool> enabled;
    std::optional<bool> paused;
    std::optional<std::string> timezone;
    std::optional<std::string> db_frequency;
    std::optional<std::string> db_cron;
    std::optional<std::string> full_frequency;
    std::optional<std::string> full_cron;
    std::optional<std::vector<std::string>> destination_ids;
    std::optional<bool> wal_enabled;
    std::optional<std::int64_t> wal_retention_days;
    // What GET answers may come back.
    std::optional<std::string> id;
    std::optional<std::string> environment_id;
    std::optional<std::string> next_db_backup_at;
    std::optional<std::string> next_full_backup_at;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
};
BOOST_DESCRIBE_STRUCT(ScheduleRequest, (),
                      (enabled, paused, timezone, db_frequency, db_cron, full_frequency, full_cron, destination_ids,
                       wal_enabled, wal_retention_days, id, environment_id, next_db_backup_at, next_full_backup_at,
                       created_at, updated_at))

// The retain… numbers of the body, and the rest of it.
struct Split {
    json::Object numbers;
    json::Object rest;
};

Result<Split> split_body(const Call& call) {
    const json::Value value = TRY(body_value(call));
    if (!value.is_object()) return problem({{"", "must be an object"}});
    Split out;
    for (const auto& member : value.get_object()) {
        const std::string_view name(member.key().data(), member.key().size());
        (name.starts_with("retain") ? out.numbers : out.rest)[member.key()] = member.value();
    }
    return out;
}

template <class T>
Result<T> decoded(const json::Object& object) {
    T out{};
    json::Faults faults;
    if (!json::decode_into(json::Value(object), out, faults,
                           {json::Names::camel, json::Unknown::refuse, json::Missing::keep_default})) {
        return problem(faults);
    }
    return out;
}

// Absent numbers stay as they are, null is the default again.
Result<retention::Numbers> take_numbers(const retention::Numbers& stored, const json::Object& sent) {
    TRY(decoded<retention::Numbers>(sent));  // the faults, with their paths
    json::Object all = json::encode(stored).as_object();
    for (const auto& member : sent) all[member.key()] = member.value();
    retention::Numbers numbers = TRY(decoded<retention::Numbers>(all));
    const retention::Numbers usual = retention::usual_numbers();
    if (!numbers.retain_hourly) numbers.retain_hourly = usual.retain_hourly;
    if (!numbers.retain_daily) numbers.retain_daily = usual.retain_daily;
    if (!numbers.retain_weekly) numbers.retain_weekly = usual.retain_weekly;
    if (!numbers.retain_monthly) numbers.retain_monthly = usual.retain_monthly;
    TRY(schedule::check_retention(numbers));
    return numbers;
}

Result<Schedule> new_schedule(const Call& call, sqlite::Database& db, const store::Environment& environment) {
    Schedule schedule;
    schedule.id = new_uuid();
    schedule.environment_id = environment.id;
    schedule.organization_id = environment.organization_id;
    schedule.db = {"daily", schedule::spread_cron("daily", environment.id), {}};
    schedule.full = {"weekly", schedule::spread_cron("weekly", environment.id), {}};
    schedule.retention = retention::usual_numbers();
    const auto usual = TRY(store::Destinations(db).default_of(call.organization_id));
    if (usual) schedule.destination_ids.push_back(usual->id);
    schedule.created_at = call.now;
    return schedule;
}

Result<> take_wal(sqlite::Database& db, const store::Environment& environment, const ScheduleRequest& request,
                  Schedule& schedule) {
    schedule.wal_retention_days = request.wal_retention_days.value_or(schedule.wal_retention_days);
    if (schedule.wal_retention_days == 0) schedule.wal_retention_days = Schedule().wal_retention_days;
    TRY(schedule::check_wal_days(schedule.wal_retention_days));
    const bool wanted = request.wal_enabled.value_or(schedule.wal_enabled);
    if (wanted && !schedule.wal_enabled && !TRY(wal_of(db, environment))) {
        return rule_broken("wal_not_possible", "walEnabled",
                           "the agent archives no WAL of this cluster: its host needs a [[wal]] section and the "
                           "archive_command first");
    }
    schedule.wal_enabled = wanted;
    return {};
}

Result<> take_request(const Call& call, sqlite::Database& db, const store::Environment& environment,
                      const ScheduleRequest& request, Schedule& schedule) {
    schedule.enabled = request.enabled.value_or(schedule.enabled);
    schedule.paused = request.paused.value_or(schedule.paused);
    schedule.time_zone = request.timezone.value_or(schedule.time_zone);
    TRY(schedule::check_time_zone(schedule.time_zone));
    schedule.db =
        TRY(schedule::take_cadence("db", {request.db_frequency, request.db_cron}, schedule.db, environment.id));
    schedule.full =
        TRY(schedule::take_cadence("full", {request.full_frequency, request.full_cron}, schedule.full, environment.id));
    TRY(take_wal(db, environment, request, schedule));
    if (!request.destination_ids) return {};
    schedule.destination_ids.clear();
    for (const auto& row : TRY(named_destinations(call, db, *request.destination_ids))) {
        schedule.destination_ids.push_back(row.id);
    }
    return {};
}

Result<http::Response> change(Call& call, sqlite::Transaction& transaction) {
    sqlite::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const Split sent = TRY(split_body(call));
    const auto request = TRY(decoded<ScheduleRequest>(sent.rest));
    const auto before = TRY(store::Schedules(db).find(environment.id));
    Schedule schedule = before ? *before : TRY(new_schedule(call, db, environment));
    TRY(take_request(call, db, environment, request, schedule));
    schedule.retention = TRY(take_numbers(schedule.retention, sent.numbers));
    schedule.updated_at = call.now;
    TRY(schedule::reckon_next(schedule, before, call.now));
    TRY(store::Schedules(db).put(schedule));
    TRY(note_audit(call, db, before ? "schedule.update" : "schedule.create", environment.id));
    return schedule_answer(schedule, call.now);
}

// Backups stay, and from now on none goes by itself.
Result<http::Response> remove(Call& call, sqlite::Transaction& transaction) {
    sqlite::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    TRY(find_schedule(db, environment));
    TRY(store::Schedules(db).remove(environment.id));
    TRY(note_audit(call, db, "schedule.delete", environment.id));
    return no_content();
}

Result<http::Response> list_runs(Call& call, sqlite::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    json::Array runs;
    for (const store::ScheduleRun& run : TRY(store::Schedules(db).runs(environment.id, kRunsShown))) {
        json::Object out;
        out["backupType"] = run.scope;
        out["dueAt"] = to_rfc3339(run.due_at);
        out["outcome"] = run.outcome;
        out["backupId"] = text_answer(run.backup_id);
        out["message"] = run.message;
        out["decidedAt"] = to_rfc3339(run.decided_at);
        runs.push_back(std::move(out));
    }
    json::Object body;
    body["runs"] = std::move(runs);
    return json_answer(200, json::Value(std::move(body)));
}

}  // namespace

void add_schedule_routes(RouteTable& routes) {
    routes.add({"GET", "/api/backup-schedule/presets", Permission::view_backups}, list_presets);
    routes.add({"GET", kPath, Permission::view_backups}, show);
    routes.add_write({"PUT", kPath, Permission::manage_backups}, change);
    routes.add_write({"DELETE", kPath, Permission::manage_backups}, remove);
    routes.add({"GET", "/api/environments/{environmentId}/backup-schedule/runs", Permission::view_backups}, list_runs);
}

}  // namespace backstay::api
