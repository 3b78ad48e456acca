// Agents: the daemons beside PostgreSQL, what they last said of themselves and of their hosts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct Agent {
    std::string id;
    std::string organization_id;
    std::string name;
    std::string hostname;
    std::string version;
    std::int32_t protocol_version = 1;
    std::string instance_id;  // of the process heard last; empty: none yet
    TimeMs seen_at = 0;       // any sign of life; 0: never
    std::int64_t clock_skew_ms = 0;
    std::optional<TimeMs> inventory_at;
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};

// What an agent says with each heartbeat.
struct AgentSigns {
    std::string instance_id;
    std::string version;
    std::int32_t protocol_version = 1;
    TimeMs seen_at = 0;
    std::int64_t clock_skew_ms = 0;
    std::optional<std::string> inventory;  // JSON; absent: as last time
};

class Agents {
public:
    explicit Agents(sql::Database& db) : db_(db) {}

    // A taken name gets a number behind it: two hosts may be called the same.
    Result<Agent> create(Agent agent, std::string_view credential_hash, TimeMs now);
    Found<Agent> find(std::string_view organization, std::string_view id);
    Result<std::vector<Agent>> find_each(std::string_view organization, const std::vector<std::string>& ids);
    // For the agent's own calls: whose credential this is.
    Found<Agent> by_credential(std::string_view credential_hash);
    Found<Agent> by_id(std::string_view id);
    // Of a project (empty: of all): those that have its environments.
    Result<Listing<Agent>> list(std::string_view organization, const Page& page, std::string_view project = "");
    Result<bool> serves(std::string_view id, std::string_view project);
    // JSON of protocol.h's Inventory.
    Found<std::string> inventory(std::string_view id);
    Result<> note_signs(std::string_view id, const AgentSigns& signs);
    // A sign of life other than a heartbeat.
    Result<> note_seen(std::string_view id, TimeMs now);
    Result<> rename(std::string_view organization, std::string_view id, std::string_view name, TimeMs now);
    // Its credential ends to be known. conflict, naming what is open: environments on it, work that is not finished,
    // destinations that it looks at.
    Result<> remove(std::string_view organization, std::string_view id, TimeMs now);

private:
    Result<bool> name_taken(std::string_view organization, std::string_view name);
    sql::Database& db_;
};

}  // namespace backstay::store
