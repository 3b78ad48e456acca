#include "control-plane/api/drills.h"

#include "control-plane/api/operation_answers.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/drills.h"
#include "control-plane/operations/drills.h"
#include "control-plane/store/drill_settings.h"

namespace backstay::api {
namespace {

using auth::Permission;

Result<http::Response> list(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto page = TRY(page_of(call, 20));
    const auto found =
        TRY(operations::list_drills(db, environment.organization_id, environment.id, page.limit, page.offset));
    json::Object out = TRY(drill_list_view(db, environment, found));
    return json_answer(200, json::Value(std::move(out)));
}

struct DrillsRequest {
    std::int64_t every_days = 0;
};
BOOST_DESCRIBE_STRUCT(DrillsRequest, (), (every_days))

Result<http::Response> change(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto request = TRY(body<DrillsRequest>(call));
    if (request.every_days < 0 || request.every_days > dispatch::kDrillDaysMost) {
        return rule_broken("out_of_range", "everyDays", "must be 0 to 365");
    }
    TRY(dispatch::set_drills(db, environment, request.every_days, call.now));
    TRY(note_audit(call, db, "drills.update", environment.id));
    json::Object out = TRY(drills_view(db, environment));
    return json_answer(200, json::Value(std::move(out)));
}

Result<http::Response> run(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    dispatch::Stir stir;
    const auto ordered = dispatch::order_drill(db, environment, call.principal.name, call.now, stir);
    if (!ordered) {
        const Error& error = ordered.error();
        return error.code() == Errc::conflict ? conflict(error.reason(), error.message()) : error;
    }
    TRY(note_audit(call, db, "drill.order", ordered->backup_id));
    live.after_commit(call, stir);
    json::Object out{{"drillId", ordered->id}, {"backupId", ordered->backup_id}, {"message", "the drill is queued"}};
    return json_answer(202, json::Value(std::move(out)));
}

}  // namespace

Result<json::Object> drills_view(sql::Database& db, const store::Environment& environment) {
    const auto settings = TRY(store::DrillSettingsOf(db).find(environment.id));
    json::Object out;
    out["environmentId"] = environment.id;
    out["everyDays"] = settings ? settings->every_days : 0;
    out["nextDrillAt"] = time_answer(settings ? settings->next_at : std::nullopt);
    out["lastPassedAt"] = time_answer(TRY(operations::last_passed_drill(db, environment.id)));
    return out;
}

Result<json::Object> drill_list_view(sql::Database& db, const store::Environment& environment,
                                     const operations::OperationPage& found) {
    json::Object out = TRY(drills_view(db, environment));
    json::Array drills;
    for (const auto& row : found.rows) drills.push_back(TRY(json::parse(operation_answer(row))));
    out["drills"] = std::move(drills);
    out["total"] = found.total;
    return out;
}

void add_drill_routes(RouteTable& routes, live::Live& live) {
    constexpr std::string_view kDrills = "/api/environments/{environmentId}/drills";
    routes.add({"GET", kDrills, Permission::view_backups}, list);
    routes.add_write({"PUT", kDrills, Permission::manage_backups}, change);
    routes.add_write({"POST", kDrills, Permission::manage_backups},
                     [&live](Call& call, sql::Transaction& transaction) { return run(call, transaction, live); });
}

}  // namespace backstay::api
