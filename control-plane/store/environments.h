// Environments: one Odoo database, its filestore and configuration, on the host of one agent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/domain/orders.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct Environment {
    std::string id;
    std::string organization_id;
    std::string project_id;
    std::string name;
    std::string description;
    std::string type;  // production, staging, development
    std::string agent_id;
    std::optional<std::string> cluster;
    std::string database;
    std::optional<std::string> filestore;  // empty members are found by the agent's inventory
    std::optional<std::string> odoo_conf;
    bool is_neutralized = false;
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};

// As an agent's orders name it.
EnvironmentOrder to_order(const Environment& environment);

class Environments {
public:
    explicit Environments(sql::Database& db) : db_(db) {}

    // Gives it its id and times. conflict: the name is taken in the project, or another environment has the database.
    Result<Environment> create(Environment environment, TimeMs now);
    Found<Environment> find(std::string_view organization, std::string_view id);
    // Also hidden ones: of rows that outlive them.
    Found<Environment> find_any(std::string_view organization, std::string_view id);
    Result<std::vector<Environment>> find_each(std::string_view organization, const std::vector<std::string>& ids);
    Result<Listing<Environment>> of_project(std::string_view organization, std::string_view project, const Page& page);
    Result<std::optional<Environment>> on_agent(std::string_view agent, std::string_view cluster,
                                                std::string_view database);
    // The oldest one on this cluster: what concerns the whole cluster is shown there.
    Result<std::optional<Environment>> first_on_cluster(std::string_view agent, std::string_view cluster);
    Result<> update(const Environment& environment);
    Result<> set_neutralized(std::string_view id, bool neutralized, TimeMs now);
    Result<> remove(std::string_view organization, std::string_view id, TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::store
