#include "control-plane/cli/commands.h"
#include "control-plane/cli/installation_session.h"
#include "control-plane/registry/views.h"
#include "control-plane/store/audit.h"

namespace backstay::cli {

Result<> audit_list(const Common& common, const AuditArguments& arguments) {
    Session session = TRY(Session::open(common));
    const auto organization = TRY(session.organization(arguments.organization));
    if (arguments.limit < 1) return Error(Errc::invalid, "--limit must be at least 1");
    store::AuditFilter filter;
    filter.organization_id = organization.id;
    filter.actor = arguments.actor;
    filter.action = arguments.action;
    filter.object_id = arguments.object;
    if (!arguments.since.empty()) filter.since = TRY(parse_rfc3339(arguments.since).context("--since"));
    if (!arguments.until.empty()) filter.until = TRY(parse_rfc3339(arguments.until).context("--until"));
    const auto listing = TRY(store::Audit(session.db).list(filter, {arguments.limit, 0}));
    std::vector<std::vector<std::string>> rows;
    json::Array views;
    for (const store::AuditEntry& entry : listing.items) {
        const std::string result = entry.status ? std::to_string(*entry.status) : "done";
        const std::string& what = entry.object_id.empty() ? entry.request : entry.object_id;
        rows.push_back({to_rfc3339(entry.at), entry.actor, entry.peer, entry.action, result, what, entry.detail});
        views.push_back(registry::view(entry));
    }
    json::Object object{{"entries", std::move(views)}, {"total", listing.total}};
    print_table(common, json::Value(std::move(object)), {"AT", "WHO", "FROM", "ACTION", "RESULT", "WHAT", "DETAIL"},
                rows);
    return {};
}

}  // namespace backstay::cli
