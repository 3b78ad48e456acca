#include "control-plane/store/place.h"

#include "control-plane/store/agents.h"

namespace backstay::store {

using control_plane::ClusterInfo;
using control_plane::DatabaseInfo;
using control_plane::Inventory;

Place find_place(const Inventory& inventory, const Environment& environment) {
    Place place;
    for (const ClusterInfo& cluster : inventory.clusters) {
        if (environment.cluster && cluster.name != *environment.cluster) continue;
        if (environment.cluster || inventory.clusters.size() == 1) place.cluster = &cluster;
        for (const DatabaseInfo& database : cluster.databases) {
            if (database.name != environment.database) continue;
            place.cluster = &cluster;
            place.database = &database;
            // Several may have one of that name: the agent, too, then means the first.
            return place;
        }
    }
    return place;
}

Result<Inventory> inventory_of(sql::Database& db, const std::string& agent_id) {
    const auto text = TRY(Agents(db).inventory(agent_id));
    if (!text) return Inventory{};
    return json::decode_text<Inventory>(*text, json::kLenient);
}

}  // namespace backstay::store
