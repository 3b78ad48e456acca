#include "control-plane/api/scope.h"

#include "common/sql/transaction.h"

namespace backstay::api {

Result<store::Project> find_project(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(store::Projects(db).find(call.organization_id, id));
    if (!found || !call.principal.may_see_project(found->id)) return not_found("project");
    return std::move(*found);
}

Result<store::Environment> find_environment(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(store::Environments(db).find(call.organization_id, id));
    if (!found || !call.principal.may_see_project(found->project_id)) return not_found("environment");
    return std::move(*found);
}

Result<store::Agent> find_agent(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(store::Agents(db).find(call.organization_id, id));
    const auto& project = call.principal.project_id;
    if (!found || (project && !TRY(store::Agents(db).serves(id, *project)))) return not_found("agent");
    return std::move(*found);
}

Result<store::DestinationRow> find_destination(const Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(store::Destinations(db).find(call.organization_id, id));
    const auto& project = call.principal.project_id;
    if (!found || (project && !TRY(store::Destinations(db).needed_by(id, *project)))) {
        return not_found("backup destination");
    }
    return std::move(*found);
}

store::AuditEntry audit_entry(const Call& call, std::string_view action, std::string_view object_id,
                              std::string_view detail) {
    store::AuditEntry entry;
    entry.organization_id = call.organization_id;
    entry.at = call.now;
    entry.actor = call.principal.name;
    entry.actor_id = call.principal.id;
    entry.action = action;
    entry.object_id = object_id;
    entry.detail = detail;
    entry.request_id = call.request_id;
    entry.request = request_line(call.request);
    entry.peer = store::peer_address(call.request.peer);
    return entry;
}

Result<> note_audit(const Call& call, sql::Database& db, std::string_view action, std::string_view object_id,
                    std::string_view detail) {
    return store::Audit(db).add(audit_entry(call, action, object_id, detail));
}

Result<> note_download(const Call& call, sql::Database& db, std::string_view action, std::string_view object_id,
                       std::string_view detail) {
    store::AuditEntry entry = audit_entry(call, action, object_id, detail);
    // The path of a link is the link itself.
    if (call.principal.kind == auth::Principal::Kind::nobody) entry.request.clear();
    auto transaction = TRY(sql::Transaction::begin(db, entry.organization_id));
    TRY(store::Audit(db).add_hourly(entry));
    return transaction.commit();
}

}  // namespace backstay::api
