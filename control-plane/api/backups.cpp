#include "control-plane/api/backups.h"

#include "control-plane/api/backup_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/schedule/runs.h"

namespace backstay::api {
namespace {

using auth::Permission;

constexpr std::size_t kLabelMost = 200;

Result<http::Response> list_page(const Call& call, sql::Database& db, const operations::BackupFilter& filter) {
    const auto page = TRY(operations::list_backups(db, filter));
    Names names(db, call.organization_id, call.now);
    const auto backups = TRY(backup_answers(names, page.rows));
    return list_answer("backups", backups, page.total);
}

Result<operations::BackupFilter> filter_of(const Call& call, std::int64_t usual) {
    const store::Page page = TRY(page_of(call, usual));
    const std::string status = TRY(
        choice_of(call, "status", {"pending", "running", "completed", "partial", "failed", "cancelled", "deleting"}));
    operations::BackupFilter filter;
    filter.organization_id = call.organization_id;
    filter.limit = page.limit;
    filter.offset = page.offset;
    if (!status.empty()) filter.status = status;
    return filter;
}

Result<http::Response> list_of_environment(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    auto filter = TRY(filter_of(call, 20));
    const std::string type = TRY(choice_of(call, "type", {"db", "full", "base"}));
    filter.environment_id = environment.id;
    if (!type.empty()) filter.scope = type;
    return list_page(call, db, filter);
}

Result<http::Response> list_of_project(Call& call, sql::Database& db) {
    const auto project = TRY(find_project(call, db, call.param("projectId")));
    auto filter = TRY(filter_of(call, 50));
    filter.project_id = project.id;
    return list_page(call, db, filter);
}

Result<http::Response> show(Call& call, sql::Database& db) {
    const auto shown = TRY(find_shown_backup(call, db, call.param("backupId")));
    Names names(db, call.organization_id, call.now);
    std::string answer = TRY(backup_answer(names, shown));
    return json_text_answer(std::move(answer));
}

struct CreateRequest {
    std::optional<std::string> type;
    std::optional<std::string> label;
    std::optional<std::vector<std::string>> destination_ids;
    std::optional<std::string> retention;
};
BOOST_DESCRIBE_STRUCT(CreateRequest, (), (type, label, destination_ids, retention))

Result<dispatch::BackupWish> wish_of(const Call& call, const CreateRequest& request) {
    dispatch::BackupWish wish;
    wish.scope = request.type.value_or("full");
    if (wish.scope != "db" && wish.scope != "full") {
        return rule_broken("invalid_type", "type", "must be \"db\" or \"full\"");
    }
    if (request.label && request.label->size() > kLabelMost) {
        return rule_broken("label_too_long", "label", "at most 200 bytes");
    }
    wish.label = request.label;
    wish.retention = request.retention.value_or("default");
    if (wish.retention != "default" && wish.retention != "permanent") {
        return rule_broken("invalid_retention", "retention", "must be \"default\" or \"permanent\"");
    }
    wish.performed_by = call.principal.name;
    return wish;
}

// Those that are named, else the schedule's, else the organization's default.
Result<std::vector<store::DestinationRow>> destinations_for(const Call& call, sql::Database& db,
                                                            const store::Environment& environment,
                                                            const CreateRequest& request) {
    if (request.destination_ids && !request.destination_ids->empty()) {
        return choose_destinations(call, db, *request.destination_ids);
    }
    const auto schedule = TRY(store::Schedules(db).find(environment.id));
    if (!schedule || schedule->destination_ids.empty()) return choose_destinations(call, db, {});
    auto found = TRY(schedule::destinations_of(db, *schedule));
    if (!found.empty()) return found;
    return choose_destinations(call, db, {});
}

Result<http::Response> create(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto request = TRY(body<CreateRequest>(call));
    const auto wish = TRY(wish_of(call, request));
    const auto destinations = TRY(destinations_for(call, db, environment, request));
    const auto busy = TRY(dispatch::busy_jobs_of_environment(db, environment.id));
    if (!busy.empty()) {
        return conflict("operation_in_progress",
                        busy.front().kind + " " + busy.front().operation_id + " works on this environment already");
    }
    dispatch::Stir stir;
    const std::string id = TRY(dispatch::order_backup(db, environment, wish, destinations, call.now, stir));
    TRY(note_audit(call, db, "backup.create", id, wish.scope));
    live.after_commit(call, stir);
    json::Object answer;
    answer["backupId"] = id;
    answer["message"] = "the backup is queued";
    auto response = json_answer(202, json::Value(std::move(answer)));
    response.headers.set("Location", "/api/backups/" + id);
    return response;
}

}  // namespace

void add_backup_routes(RouteTable& routes, live::Live& live) {
    routes.add({"GET", "/api/environments/{environmentId}/backups", Permission::view_backups}, list_of_environment);
    routes.add_write({"POST", "/api/environments/{environmentId}/backups", Permission::manage_backups},
                     [&live](Call& call, sql::Transaction& t) { return create(call, t, live); });
    routes.add({"GET", "/api/projects/{projectId}/backups", Permission::view_backups}, list_of_project);
    routes.add({"GET", "/api/backups/{backupId}", Permission::view_backups}, show);
    RouteSpec progress{"GET", "/api/backups/{backupId}/progress", Permission::view_backups};
    progress.query_token = true;
    routes.add_loop(progress, [&live](Call call, std::unique_ptr<http::Exchange> exchange) {
        live.streams().open(std::move(call), std::move(exchange),
                            [](Call& asked, sql::Database& db) -> Result<std::string> {
                                return TRY(find_backup(asked, db, asked.param("backupId"))).id;
                            });
    });
}

}  // namespace backstay::api
