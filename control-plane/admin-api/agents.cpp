#include <algorithm>

#include "control-plane-client/protocol.h"
#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/api/answer.h"
#include "control-plane/api/scope.h"
#include "control-plane/registry/registry.h"
#include "control-plane/registry/views.h"

namespace backstay::admin_api {
namespace {

using api::Call;
using auth::Permission;

struct AgentChange {
    std::string name;
};
BOOST_DESCRIBE_STRUCT(AgentChange, (), (name))

struct NewToken {
    std::optional<std::string> name;
    std::optional<std::int64_t> ttl_seconds;
};
BOOST_DESCRIBE_STRUCT(NewToken, (), (name, ttl_seconds))

Result<http::Response> list_agents(Call& call, sql::Database& db) {
    const auto page = TRY(api::page_of(call, 50));
    const auto listing =
        TRY(store::Agents(db).list(call.organization_id, page, call.principal.project_id.value_or("")));
    return api::json_answer(200, registry::listing_view("agents", listing, [&](const store::Agent& item) {
                                return registry::view(item, call.now);
                            }));
}

// Only the databases of the project's environments; disks are the host's.
Result<json::Value> inventory_of_project(const Call& call, sql::Database& db, const std::string& agent_id,
                                         std::string_view text) {
    auto inventory = TRY(json::decode_text<control_plane::Inventory>(text, json::kLenient));
    constexpr store::Page kAll{1000, 0};
    const auto listing =
        TRY(store::Environments(db).of_project(call.organization_id, *call.principal.project_id, kAll));
    for (control_plane::ClusterInfo& cluster : inventory.clusters) {
        std::erase_if(cluster.databases, [&](const control_plane::DatabaseInfo& database) {
            return std::none_of(listing.items.begin(), listing.items.end(), [&](const store::Environment& item) {
                return item.agent_id == agent_id && item.database == database.name &&
                       item.cluster.value_or(cluster.name) == cluster.name;
            });
        });
    }
    inventory.disks.clear();
    return json::encode(inventory);
}

Result<http::Response> show_agent(Call& call, sql::Database& db) {
    const auto agent = TRY(api::find_agent(call, db, call.param("id")));
    json::Object body = registry::view(agent, call.now);
    const auto inventory = TRY(store::Agents(db).inventory(agent.id));
    json::Value value(nullptr);
    if (inventory) {
        value = call.principal.project_id ? TRY(inventory_of_project(call, db, agent.id, *inventory))
                                          : TRY(json::parse(*inventory));
    }
    body.emplace("inventory", std::move(value));
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> update_agent(Call& call, sql::Transaction& tx) {
    auto agent = TRY(api::find_agent(call, tx.database(), call.param("id")));
    const auto change = TRY(api::body<AgentChange>(call, json::Missing::refuse));
    TRY(registry::check_name("name", change.name));
    auto renamed = store::Agents(tx.database()).rename(call.organization_id, agent.id, change.name, call.now);
    if (!renamed) {
        if (renamed.error().code() != Errc::conflict) return renamed.error();
        return api::conflict("agent_exists", "the organization has an agent of that name");
    }
    TRY(registry::note(tx, actor_of(call), call.organization_id, "agent.update", agent.id, change.name));
    agent.name = change.name;
    return api::json_answer(200, json::Value(registry::view(agent, call.now)));
}

Result<http::Response> delete_agent(Call& call, sql::Transaction& tx) {
    const auto agent = TRY(api::find_agent(call, tx.database(), call.param("id")));
    TRY(store::Agents(tx.database()).remove(call.organization_id, agent.id, call.now).reason("agent_in_use"));
    TRY(registry::note(tx, actor_of(call), call.organization_id, "agent.delete", agent.id, agent.name));
    return api::message_answer(200, "the agent is removed; its credential ends now");
}

Result<http::Response> list_tokens(Call& call, sql::Database& db) {
    const auto page = TRY(api::page_of(call, 50));
    const auto listing = TRY(store::EnrollTokens(db).list(call.organization_id, page));
    return api::json_answer(200, registry::listing_view("tokens", listing, [&](const store::EnrollToken& item) {
                                return registry::view(item, call.now);
                            }));
}

Result<http::Response> create_token(Call& call, sql::Transaction& tx) {
    const auto wanted = TRY(api::body<NewToken>(call));
    const auto made = TRY(registry::create_enroll_token(tx, actor_of(call), call.organization_id,
                                                        wanted.name.value_or(""), wanted.ttl_seconds.value_or(3600)));
    json::Object body = registry::view(made.row, call.now);
    body.emplace("token", made.secret);
    return api::json_answer(201, json::Value(std::move(body)));
}

Result<http::Response> revoke_token(Call& call, sql::Transaction& tx) {
    const bool revoked =
        TRY(store::EnrollTokens(tx.database()).revoke(call.organization_id, call.param("id"), call.now));
    if (!revoked) return api::not_found("unused enrolment token");
    TRY(registry::note(tx, actor_of(call), call.organization_id, "enroll_token.revoke", call.param("id"), ""));
    return api::message_answer(200, "the token ends now");
}

}  // namespace

void add_agent_routes(api::RouteTable& routes) {
    routes.add({"GET", "/api/agents", Permission::view_backups}, list_agents);
    routes.add({"GET", "/api/agents/{id}", Permission::view_backups}, show_agent);
    routes.add_write({"PUT", "/api/agents/{id}", Permission::manage_agents}, update_agent);
    routes.add_write({"PATCH", "/api/agents/{id}", Permission::manage_agents}, update_agent);
    routes.add_write({"DELETE", "/api/agents/{id}", Permission::manage_agents}, delete_agent);
    routes.add({"GET", "/api/enroll-tokens", Permission::manage_agents}, list_tokens);
    routes.add_write({"POST", "/api/enroll-tokens", Permission::manage_agents}, create_token);
    routes.add_write({"DELETE", "/api/enroll-tokens/{id}", Permission::manage_agents}, revoke_token);
}

}  // namespace backstay::admin_api
