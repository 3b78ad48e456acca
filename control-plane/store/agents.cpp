#include "control-plane/store/agents.h"

#include "common/ids.h"
#include "control-plane/store/id_list.h"
#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

std::string select(std::string_view where) {
    std::string sql =
        "SELECT id, organization_id, name, hostname, version, protocol_version, instance_id, seen_at, clock_skew_ms, "
        "inventory_at, created_at, updated_at FROM agents WHERE ";
    return sql += where;
}

Agent read(const sql::Statement& row) {
    Agent agent;
    agent.id = row.text(0);
    agent.organization_id = row.text(1);
    agent.name = row.text(2);
    agent.hostname = row.text(3);
    agent.version = row.text(4);
    agent.protocol_version = static_cast<std::int32_t>(row.integer(5));
    agent.instance_id = row.text(6);
    agent.seen_at = row.integer(7);
    agent.clock_skew_ms = row.integer(8);
    agent.inventory_at = row.optional_integer(9);
    agent.created_at = row.integer(10);
    agent.updated_at = row.integer(11);
    return agent;
}

// What would wait for the agent for ever if it went: "environment <id>, deletion <id>"; empty: nothing.
Result<std::string> open_things(sql::Database& db, std::string_view id) {
    static constexpr std::string_view kSql =
        "SELECT 'environment', id FROM environments WHERE agent_id = $1 AND deleted_at IS NULL UNION ALL "
        "SELECT COALESCE(o.kind, j.kind), j.operation_id FROM jobs j LEFT JOIN operations o ON o.id = j.operation_id "
        "WHERE j.agent_id = $1 AND j.state <> 'finished' UNION ALL "
        "SELECT 'destination', id FROM destinations WHERE agent_id = $1 AND deleted_at IS NULL";
    constexpr int kNamed = 20;
    auto rows = TRY(db.query(kSql, {id}));
    std::string text;
    for (int count = 0; TRY(rows.step()); ++count) {
        if (count == kNamed) return text + " and more";
        if (count > 0) text += ", ";
        text += rows.text(0) + " " + rows.text(1);
    }
    return text;
}

}  // namespace

Result<Agent> Agents::create(Agent agent, std::string_view credential_hash, TimeMs now) {
    agent.id = new_uuid();
    agent.created_at = now;
    agent.updated_at = now;
    const std::string wanted = agent.name;
    for (int number = 2; TRY(name_taken(agent.organization_id, agent.name)); ++number) {
        agent.name = wanted + "-" + std::to_string(number);
    }
    TRY(
        db_.run("INSERT INTO agents (id, organization_id, name, hostname, version, protocol_version, credential_hash, "
                "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
                {agent.id, agent.organization_id, agent.name, agent.hostname, agent.version, agent.protocol_version,
                 credential_hash, now}));
    return agent;
}

Found<Agent> Agents::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2 AND deleted_at IS NULL"), {organization, id}),
                     read);
}

Result<std::vector<Agent>> Agents::find_each(std::string_view organization, const std::vector<std::string>& ids) {
    std::vector<Agent> found;
    TRY(for_each_of(db_, select("deleted_at IS NULL AND id IN"), ids, [&](const sql::Statement& row) {
        if (row.text(1) == organization) found.push_back(read(row));
    }));
    return found;
}

Found<Agent> Agents::by_credential(std::string_view credential_hash) {
    return first_row(db_.query(select("credential_hash = $1 AND deleted_at IS NULL"), {credential_hash}), read);
}

Found<Agent> Agents::by_id(std::string_view id) {
    return first_row(db_.query(select("id = $1 AND deleted_at IS NULL"), {id}), read);
}

Result<Listing<Agent>> Agents::list(std::string_view organization, const Page& page, std::string_view project) {
    const std::string where =
        "organization_id = $1 AND deleted_at IS NULL AND ($2 = '' OR id IN (SELECT agent_id FROM environments WHERE "
        "project_id = $2 AND deleted_at IS NULL))";
    Listing<Agent> listing;
    listing.total = TRY(count_of(db_.query("SELECT COUNT(*) FROM agents WHERE " + where, {organization, project})));
    listing.items = TRY(all_rows(db_.query(select(where + " ORDER BY name, id LIMIT $3 OFFSET $4"),
                                           {organization, project, page.limit, page.offset}),
                                 read));
    return listing;
}

Result<bool> Agents::serves(std::string_view id, std::string_view project) {
    const auto environments = TRY(count_of(
        db_.query("SELECT COUNT(*) FROM environments WHERE agent_id = $1 AND project_id = $2 AND deleted_at IS NULL",
                  {id, project})));
    return environments > 0;
}

Found<std::string> Agents::inventory(std::string_view id) {
    return first_row(db_.query("SELECT inventory FROM agents WHERE id = $1 AND inventory IS NOT NULL", {id}),
                     [](const sql::Statement& row) { return row.text(0); });
}

Result<> Agents::note_signs(std::string_view id, const AgentSigns& signs) {
    TRY(
        db_.run("UPDATE agents SET instance_id = $2, version = $3, protocol_version = $4, seen_at = $5, "
                "clock_skew_ms = $6, inventory = COALESCE($7, inventory), "
                "inventory_at = CASE WHEN CAST($7 AS TEXT) IS NULL THEN inventory_at ELSE $5 END WHERE id = $1",
                {id, signs.instance_id, signs.version, signs.protocol_version, signs.seen_at, signs.clock_skew_ms,
                 signs.inventory}));
    return {};
}

Result<> Agents::note_seen(std::string_view id, TimeMs now) {
    TRY(db_.run("UPDATE agents SET seen_at = $2 WHERE id = $1", {id, now}));
    return {};
}

Result<> Agents::rename(std::string_view organization, std::string_view id, std::string_view name, TimeMs now) {
    TRY(
        db_.run("UPDATE agents SET name = $3, updated_at = $4 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {organization, id, name, now}));
    return {};
}

Result<> Agents::remove(std::string_view organization, std::string_view id, TimeMs now) {
    const std::string open = TRY(open_things(db_, id));
    if (!open.empty()) return Error(Errc::conflict, "still tied to this agent: " + open);
    TRY(
        db_.run("UPDATE agents SET deleted_at = $3, updated_at = $3 "
                "WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
                {organization, id, now}));
    return {};
}

Result<bool> Agents::name_taken(std::string_view organization, std::string_view name) {
    const auto rows = TRY(count_of(
        db_.query("SELECT COUNT(*) FROM agents WHERE organization_id = $1 AND name = $2 AND deleted_at IS NULL",
                  {organization, name})));
    return rows > 0;
}

}  // namespace backstay::store
