#include "control-plane/api/schedules.h"

#include "control-plane/api/operation_answers.h"
#include "control-plane/api/schedule_change.h"
#include "control-plane/api/scope.h"
#include "control-plane/schedule/rules.h"
#include "control-plane/store/schedules.h"

namespace backstay::api {
namespace {

using auth::Permission;
using store::Schedule;

constexpr std::string_view kPath = "/api/environments/{environmentId}/backup-schedule";
constexpr std::int64_t kRunsShown = 50;

Result<http::Response> schedule_answer(sql::Database& db, const Schedule& schedule, TimeMs now) {
    auto shown = TRY(schedule_view(db, schedule, now));
    return json_answer(200, json::Value(std::move(shown)));
}

Result<Schedule> find_schedule(sql::Database& db, const store::Environment& environment) {
    auto found = TRY(store::Schedules(db).find(environment.id));
    if (found) return std::move(*found);
    return problem(404, "schedule_not_found", "this environment has no backup schedule");
}

Result<http::Response> list_presets(Call&, sql::Database&) {
    json::Array out;
    for (const schedule::Preset& preset : schedule::kPresets) {
        out.push_back(json::Object{{"cron", preset.cron}, {"label", preset.label}});
    }
    return json_answer(200, json::Value(std::move(out)));
}

Result<http::Response> show(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const Schedule schedule = TRY(find_schedule(db, environment));
    return schedule_answer(db, schedule, call.now);
}

Result<http::Response> change(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const json::Value sent = TRY(body_value(call));
    const ScheduleChange done = TRY(change_schedule(db, environment, sent, reach_of(call), call.now));
    TRY(note_audit(call, db, done.is_new ? "schedule.create" : "schedule.update", environment.id));
    return schedule_answer(db, done.schedule, call.now);
}

// Backups stay, and from now on none goes by itself.
Result<http::Response> remove(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    TRY(find_schedule(db, environment));
    TRY(store::Schedules(db).remove(environment.id));
    TRY(note_audit(call, db, "schedule.delete", environment.id));
    return no_content();
}

Result<http::Response> list_runs(Call& call, sql::Database& db) {
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
