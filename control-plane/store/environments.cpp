#include "control-plane/store/environments.h"

#include "common/ids.h"
#include "control-plane/store/id_list.h"
#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

// The columns stand in the order that read() takes them.
std::string select(std::string_view where) {
    std::string sql =
        "SELECT id, organization_id, project_id, name, description, type, agent_id, cluster, database, filestore, "
        "odoo_conf, is_neutralized, created_at, updated_at FROM environments WHERE ";
    return sql += where;
}

Environment read(const sql::Statement& row) {
    Environment environment;
    environment.id = row.text(0);
    environment.organization_id = row.text(1);
    environment.project_id = row.text(2);
    environment.name = row.text(3);
    environment.description = row.text(4);
    environment.type = row.text(5);
    environment.agent_id = row.text(6);
    environment.cluster = row.optional_text(7);
    environment.database = row.text(8);
    environment.filestore = row.optional_text(9);
    environment.odoo_conf = row.optional_text(10);
    environment.is_neutralized = row.boolean(11);
    environment.created_at = row.integer(12);
    environment.updated_at = row.integer(13);
    return environment;
}

}  // namespace

EnvironmentOrder to_order(const Environment& environment) {
    return {environment.organization_id,
            environment.project_id,
            environment.id,
            environment.name,
            environment.type,
            environment.cluster,
            environment.database,
            environment.filestore,
            environment.odoo_conf};
}

Result<Environment> Environments::create(Environment environment, TimeMs now) {
    environment.id = new_uuid();
    environment.created_at = now;
    environment.updated_at = now;
    const Environment& e = environment;
    TRY(
        db_.run("INSERT INTO environments (id, organization_id, project_id, name, description, type, agent_id, "
                "cluster, database, filestore, odoo_conf, is_neutralized, created_at, updated_at) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)",
                {e.id, e.organization_id, e.project_id, e.name, e.description, e.type, e.agent_id, e.cluster,
                 e.database, e.filestore, e.odoo_conf, e.is_neutralized, now}));
    return environment;
}

Found<Environment> Environments::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2 AND deleted_at IS NULL"), {organization, id}),
                     read);
}

Found<Environment> Environments::find_any(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2"), {organization, id}), read);
}

Result<std::vector<Environment>> Environments::find_each(std::string_view organization,
                                                         const std::vector<std::string>& ids) {
    std::vector<Environment> found;
    TRY(for_each_of(db_, select("id IN"), ids, [&](const sql::Statement& row) {
        if (row.text(1) == organization) found.push_back(read(row));
    }));
    return found;
}

Result<Listing<Environment>> Environments::of_project(std::string_view organization, std::string_view project,
                                                      const Page& page) {
    Listing<Environment> listing;
    listing.total =
        TRY(count_of(db_.query("SELECT COUNT(*) FROM environments WHERE organization_id = $1 "
                               "AND project_id = $2 AND deleted_at IS NULL",
                               {organization, project})));
    listing.items = TRY(all_rows(db_.query(select("organization_id = $1 AND project_id = $2 AND deleted_at IS NULL "
                                                  "ORDER BY name, id LIMIT $3 OFFSET $4"),
                                           {organization, project, page.limit, page.offset}),
                                 read));
    return listing;
}

Result<std::optional<Environment>> Environments::on_agent(std::string_view agent, std::string_view cluster,
                                                          std::string_view database) {
    // An environment that names no cluster is on the agent's only one.
    return first_row(db_.query(select("agent_id = $1 AND database = $3 AND deleted_at IS NULL "
                                      "AND (cluster IS NULL OR cluster = $2) ORDER BY cluster IS NULL"),
                               {agent, cluster, database}),
                     read);
}

Result<std::optional<Environment>> Environments::first_on_cluster(std::string_view agent, std::string_view cluster) {
    return first_row(db_.query(select("agent_id = $1 AND deleted_at IS NULL AND (cluster IS NULL OR cluster = $2) "
                                      "ORDER BY cluster IS NULL, created_at, id LIMIT 1"),
                               {agent, cluster}),
                     read);
}

Result<> Environments::update(const Environment& e) {
    TRY(
        db_.run("UPDATE environments SET name = $3, description = $4, agent_id = $5, cluster = $6, database = $7, "
                "filestore = $8, odoo_conf = $9, updated_at = $10 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {e.organization_id, e.id, e.name, e.description, e.agent_id, e.cluster, e.database, e.filestore,
                 e.odoo_conf, e.updated_at}));
    return {};
}

Result<> Environments::set_neutralized(std::string_view id, bool neutralized, TimeMs now) {
    TRY(db_.run("UPDATE environments SET is_neutralized = $2, updated_at = $3 WHERE id = $1", {id, neutralized, now}));
    return {};
}

Result<> Environments::remove(std::string_view organization, std::string_view id, TimeMs now) {
    TRY(
        db_.run("UPDATE environments SET deleted_at = $3, updated_at = $3 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {organization, id, now}));
    return {};
}

}  // namespace backstay::store
