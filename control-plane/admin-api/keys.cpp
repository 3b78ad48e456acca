#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/api/answer.h"
#include "control-plane/registry/registry.h"
#include "control-plane/registry/views.h"

namespace backstay::admin_api {
namespace {

using api::Call;
using auth::Permission;

struct NewKeyBody {
    std::string name;
    std::string mode;
    std::optional<std::string> project_id;
    std::optional<std::vector<std::string>> permissions;
    std::optional<Timestamp> expires_at;
};
BOOST_DESCRIBE_STRUCT(NewKeyBody, (), (name, mode, project_id, permissions, expires_at))

Result<std::optional<auth::Permissions>> permissions_of(const NewKeyBody& body) {
    if (!body.permissions) return std::optional<auth::Permissions>();
    auth::Permissions permissions;
    for (const std::string& word : *body.permissions) {
        const auto known = auth::Permissions::parse(word);
        if (!known || word.empty()) {
            return api::rule_broken("invalid_permission", "permissions", "there is no permission " + word);
        }
        permissions = permissions.join(*known);
    }
    return std::optional<auth::Permissions>(permissions);
}

Result<http::Response> list_keys(Call& call, sql::Database& db) {
    const auto page = TRY(api::page_of(call, 50));
    const auto listing =
        TRY(store::ApiKeys(db).list(call.organization_id, page, call.principal.project_id.value_or("")));
    return api::json_answer(
        200, registry::listing_view("keys", listing, [](const store::ApiKey& item) { return registry::view(item); }));
}

Result<http::Response> create_key(Call& call, sql::Transaction& tx) {
    const auto body = TRY(api::body<NewKeyBody>(call, json::Missing::refuse));
    if (body.mode != "ro" && body.mode != "rw") {
        return api::rule_broken("invalid_mode", "mode", "mode must be ro or rw");
    }
    registry::NewKey wanted;
    wanted.name = body.name;
    wanted.read_only = body.mode == "ro";
    wanted.project_id = body.project_id;
    // Nobody hands out more than they have, by rights or by project.
    if (call.principal.project_id) {
        if (wanted.project_id && *wanted.project_id != *call.principal.project_id) {
            return api::rule_broken("project_not_found", "projectId", "the organization has no such project");
        }
        wanted.project_id = call.principal.project_id;
    }
    const auto asked = TRY(permissions_of(body));
    wanted.permissions = asked ? asked->meet(call.principal.permissions) : call.principal.permissions;
    if (body.expires_at) wanted.expires_at = body.expires_at->ms;
    const auto made = TRY(registry::create_key(tx, actor_of(call), call.organization_id, wanted));
    json::Object answer = registry::view(made.row);
    answer.emplace("key", made.secret);
    return api::json_answer(201, json::Value(std::move(answer)));
}

Result<http::Response> revoke_key(Call& call, sql::Transaction& tx) {
    store::ApiKeys keys(tx.database());
    const auto key = TRY(keys.find(call.organization_id, call.param("id")));
    const bool theirs = key && call.principal.project_id && key->project_id != call.principal.project_id;
    if (!key || theirs) return api::not_found("API key");
    TRY(keys.revoke(call.organization_id, key->id, call.now));
    TRY(registry::note(tx, actor_of(call), call.organization_id, "key.revoke", key->id, key->prefix));
    return api::message_answer(200, "the key ends now");
}

}  // namespace

void add_key_routes(api::RouteTable& routes) {
    routes.add({"GET", "/api/api-keys", Permission::manage_keys}, list_keys);
    routes.add_write({"POST", "/api/api-keys", Permission::manage_keys}, create_key);
    routes.add_write({"DELETE", "/api/api-keys/{id}", Permission::manage_keys}, revoke_key);
}

}  // namespace backstay::admin_api
