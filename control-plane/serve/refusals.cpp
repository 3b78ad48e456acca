#include "common/log.h"
#include "control-plane/serve/pipeline.h"
#include "control-plane/store/audit.h"

namespace backstay::serve {
namespace {

std::string code_of(const http::Response& response) {
    const auto body = json::parse(response.body);
    if (!body || !body->is_object()) return {};
    const json::Value* code = body->get_object().if_contains("error");
    return code != nullptr && code->is_string() ? std::string(code->get_string()) : std::string();
}

bool is_told(const api::Route& route) {
    if (route.access != api::Access::member && route.access != api::Access::user) return false;
    return route.writes() || route.pattern.ends_with("/download");
}

}  // namespace

// Who it was is known: what is refused before that leaves no row, so that strangers cannot fill the table.
void Pipeline::note_refusal(const Pending& pending, const http::Response& response) {
    if (response.status < 400 || pending.route == nullptr || pending.call.organization_id.empty()) return;
    if (!is_told(*pending.route)) return;
    const http::Request& request = pending.call.request;
    store::AuditEntry entry;
    entry.organization_id = pending.call.organization_id;
    entry.at = parts_.clock.now_ms();
    entry.actor = pending.call.principal.name;
    entry.actor_id = pending.call.principal.id;
    entry.action = "refused";
    entry.detail = code_of(response);
    entry.request_id = pending.call.request_id;
    entry.request = api::request_line(request);
    entry.peer = store::peer_address(request.peer);
    entry.status = response.status;
    const bool taken = parts_.threads.submit(
        store::DatabaseThreads::Lane::write,
        [entry = std::move(entry)](sql::Database& db) -> store::DatabaseThreads::Done {
            if (auto noted = store::Audit(db).add_refusal(entry); !noted)
                log::warning("refusal not noted", {{"error", noted.error().message()}});
            return {};
        },
        pending.call.organization_id);
    if (!taken) log::warning("refusal not noted: too much is waiting", {{"request", pending.call.request_id}});
}

}  // namespace backstay::serve
