#include <map>

#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/api/answer.h"
#include "control-plane/api/scope.h"
#include "control-plane/registry/registry.h"
#include "control-plane/registry/views.h"

namespace backstay::admin_api {
namespace {

using api::Call;
using auth::Permission;

struct NewEnvironment {
    std::string name;
    std::string type;
    std::string agent_id;
    std::string database;
    std::optional<std::string> description;
    std::optional<std::string> cluster;
    std::optional<std::string> filestore;
    std::optional<std::string> odoo_conf;
};
BOOST_DESCRIBE_STRUCT(NewEnvironment, (), (name, type, agent_id, database, description, cluster, filestore, odoo_conf))

// Absent members stay as they are; a path or cluster of "" means none.
struct EnvironmentChange {
    std::optional<std::string> name;
    std::optional<std::string> type;
    std::optional<std::string> agent_id;
    std::optional<std::string> database;
    std::optional<std::string> description;
    std::optional<std::string> cluster;
    std::optional<std::string> filestore;
    std::optional<std::string> odoo_conf;
};
BOOST_DESCRIBE_STRUCT(EnvironmentChange, (),
                      (name, type, agent_id, database, description, cluster, filestore, odoo_conf))

// An environment with what its agent is doing, as people see it.
json::Object shown(const store::Environment& environment, const store::Agent* agent, TimeMs now) {
    json::Object object = registry::view(environment);
    object.emplace("agentName", agent != nullptr ? json::Value(agent->name) : json::Value(nullptr));
    object.emplace("agentStatus", agent != nullptr ? registry::view(*agent, now).at("status") : json::Value(nullptr));
    return object;
}

Result<json::Object> shown(const store::Environment& environment, sql::Database& db, TimeMs now) {
    const auto agent = TRY(store::Agents(db).find(environment.organization_id, environment.agent_id));
    return shown(environment, agent ? &*agent : nullptr, now);
}

void change_optional(std::optional<std::string>& member, const std::optional<std::string>& change) {
    if (!change) return;
    if (change->empty()) {
        member.reset();
    } else {
        member = change;
    }
}

Result<http::Response> list_environments(Call& call, sql::Database& db) {
    const auto project = TRY(api::find_project(call, db, call.param("projectId")));
    const auto page = TRY(api::page_of(call, 50));
    const auto listing = TRY(store::Environments(db).of_project(call.organization_id, project.id, page));
    std::vector<std::string> ids;
    for (const auto& item : listing.items) ids.push_back(item.agent_id);
    std::map<std::string, store::Agent> agents;
    for (auto& agent : TRY(store::Agents(db).find_each(call.organization_id, ids))) agents.emplace(agent.id, agent);
    json::Array items;
    for (const auto& item : listing.items) {
        const auto agent = agents.find(item.agent_id);
        items.push_back(shown(item, agent == agents.end() ? nullptr : &agent->second, call.now));
    }
    json::Object body{{"environments", std::move(items)}, {"total", listing.total}};
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> create_environment(Call& call, sql::Transaction& tx) {
    const auto project = TRY(api::find_project(call, tx.database(), call.param("projectId")));
    const auto wanted = TRY(api::body<NewEnvironment>(call, json::Missing::refuse));
    store::Environment environment;
    environment.organization_id = call.organization_id;
    environment.project_id = project.id;
    environment.name = wanted.name;
    environment.type = wanted.type;
    environment.agent_id = wanted.agent_id;
    environment.database = wanted.database;
    environment.description = wanted.description.value_or("");
    change_optional(environment.cluster, wanted.cluster);
    change_optional(environment.filestore, wanted.filestore);
    change_optional(environment.odoo_conf, wanted.odoo_conf);
    const auto made = TRY(registry::create_environment(tx, actor_of(call), environment));
    auto body = TRY(shown(made, tx.database(), call.now));
    return api::json_answer(201, json::Value(std::move(body)));
}

Result<http::Response> show_environment(Call& call, sql::Database& db) {
    const auto environment = TRY(api::find_environment(call, db, call.param("id")));
    auto body = TRY(shown(environment, db, call.now));
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> update_environment(Call& call, sql::Transaction& tx) {
    auto environment = TRY(api::find_environment(call, tx.database(), call.param("id")));
    const auto change = TRY(api::body<EnvironmentChange>(call));
    if (change.type && *change.type != environment.type) {
        return api::rule_broken("immutable_type", "type", "an environment keeps its type");
    }
    environment.name = change.name.value_or(environment.name);
    environment.agent_id = change.agent_id.value_or(environment.agent_id);
    environment.database = change.database.value_or(environment.database);
    environment.description = change.description.value_or(environment.description);
    change_optional(environment.cluster, change.cluster);
    change_optional(environment.filestore, change.filestore);
    change_optional(environment.odoo_conf, change.odoo_conf);
    TRY(registry::update_environment(tx, actor_of(call), environment));
    auto body = TRY(shown(environment, tx.database(), call.now));
    return api::json_answer(200, json::Value(std::move(body)));
}

// Its backups stay: they are found through the project.
Result<http::Response> delete_environment(Call& call, sql::Transaction& tx) {
    const auto environment = TRY(api::find_environment(call, tx.database(), call.param("id")));
    if (environment.type == "production") {
        return api::conflict("production_protected", "a production environment is not deleted");
    }
    TRY(store::Environments(tx.database()).remove(call.organization_id, environment.id, call.now));
    TRY(registry::note(tx, actor_of(call), call.organization_id, "environment.delete", environment.id,
                       environment.name));
    return api::message_answer(202, "the environment is deleted; its backups stay");
}

}  // namespace

void add_environment_routes(api::RouteTable& routes) {
    routes.add({"GET", "/api/projects/{projectId}/environments", Permission::view_backups}, list_environments);
    routes.add_write({"POST", "/api/projects/{projectId}/environments", Permission::manage_projects},
                     create_environment);
    routes.add({"GET", "/api/environments/{id}", Permission::view_backups}, show_environment);
    routes.add_write({"PUT", "/api/environments/{id}", Permission::manage_projects}, update_environment);
    routes.add_write({"PATCH", "/api/environments/{id}", Permission::manage_projects}, update_environment);
    routes.add_write({"DELETE", "/api/environments/{id}", Permission::manage_projects}, delete_environment);
}

}  // namespace backstay::admin_api
