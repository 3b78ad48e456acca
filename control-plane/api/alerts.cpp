#include "control-plane/api/alerts.h"

#include "control-plane/alerts/repository.h"
#include "control-plane/api/alert_answers.h"
#include "control-plane/api/scope.h"

namespace backstay::api {
namespace {

using auth::Permission;

std::string project_of(const Call& call) { return call.principal.project_id.value_or(""); }

Result<http::Response> list_alerts(Call& call, sql::Database& db) {
    alerts::AlertFilter filter;
    filter.organization_id = call.organization_id;
    filter.project_id = project_of(call);
    filter.page = TRY(page_of(call, 50));
    filter.include_dismissed = TRY(choice_of(call, "include_dismissed", {"true", "false"})) == "true";
    const auto listing = TRY(alerts::Alerts(db).list(filter));
    Names names(db, call.organization_id, call.now);
    json::Array items;
    for (const alerts::Alert& alert : listing.items) items.push_back(TRY(alert_answer(names, alert)));
    json::Object body{{"alerts", std::move(items)}, {"total", listing.total}};
    return json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> count_alerts(Call& call, sql::Database& db) {
    const auto counts = TRY(alerts::Alerts(db).count(call.organization_id, project_of(call)));
    json::Object body{{"undismissed", counts.undismissed}, {"unread", counts.unread}};
    return json_answer(200, json::Value(std::move(body)));
}

Result<alerts::Alert> find_alert(const Call& call, sql::Database& db) {
    auto found = TRY(alerts::Alerts(db).find(call.organization_id, call.param("id")));
    const auto& project = call.principal.project_id;
    if (!found || (project && found->about.project_id != project)) return not_found("alert");
    return std::move(*found);
}

Result<http::Response> show_alert(Call& call, sql::Database& db) {
    const alerts::Alert alert = TRY(find_alert(call, db));
    Names names(db, call.organization_id, call.now);
    const json::Value answer = TRY(alert_answer(names, alert));
    return json_answer(200, answer);
}

Result<http::Response> read_alert(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const alerts::Alert alert = TRY(find_alert(call, db));
    TRY(alerts::Alerts(db).mark_read(call.organization_id, alert.id, call.principal.name, call.now));
    return message_answer(200, "the alert is read");
}

Result<http::Response> dismiss_alert(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    const alerts::Alert alert = TRY(find_alert(call, db));
    TRY(alerts::Alerts(db).dismiss(call.organization_id, alert.id, call.principal.name, call.now));
    if (!alert.dismissed_at) TRY(note_audit(call, db, "alert.dismiss", alert.id, alert.type));
    return message_answer(200, "the alert is dismissed");
}

}  // namespace

void add_alert_routes(RouteTable& routes) {
    routes.add({"GET", "/api/backup-alerts", Permission::view_backups}, list_alerts);
    routes.add({"GET", "/api/backup-alerts/count", Permission::view_backups}, count_alerts);
    routes.add({"GET", "/api/backup-alerts/{id}", Permission::view_backups}, show_alert);
    routes.add_write({"POST", "/api/backup-alerts/{id}/read", Permission::manage_backups}, read_alert);
    routes.add_write({"POST", "/api/backup-alerts/{id}/dismiss", Permission::manage_backups}, dismiss_alert);
}

}  // namespace backstay::api
