#include "control-plane/store/cluster_wal.h"

#include "control-plane/store/place.h"
#include "control-plane/store/rows.h"

namespace backstay::store {

Result<> ClusterWals::replace(std::string_view agent, const std::vector<ClusterWalRow>& rows) {
    TRY(db_.run("DELETE FROM cluster_wal WHERE agent_id = $1", {agent}));
    for (const ClusterWalRow& row : rows) {
        TRY(db_.run(
            "INSERT INTO cluster_wal (agent_id, cluster, archive, wal, reported_at) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (agent_id, cluster) DO UPDATE SET archive = $3, wal = $4, reported_at = $5",
            {agent, row.cluster, row.archive, row.wal, row.reported_at}));
    }
    return {};
}

Result<std::vector<ClusterWalRow>> ClusterWals::of_agent(std::string_view agent) {
    return all_rows(
        db_.query("SELECT cluster, archive, wal, reported_at FROM cluster_wal WHERE agent_id = $1 ORDER BY cluster",
                  {agent}),
        [](const sql::Statement& row) {
            return ClusterWalRow{row.text(0), row.text(1), row.text(2), row.integer(3)};
        });
}

Result<std::optional<EnvironmentWal>> wal_of(sql::Database& db, const Environment& environment) {
    const auto rows = TRY(ClusterWals(db).of_agent(environment.agent_id));
    std::optional<std::string> cluster = environment.cluster;
    if (!cluster) {
        const auto inventory = TRY(inventory_of(db, environment.agent_id));
        const Place place = find_place(inventory, environment);
        if (place.cluster != nullptr) {
            cluster = place.cluster->name;
        } else if (rows.size() > 1) {
            return std::optional<EnvironmentWal>();
        }
    }
    for (const ClusterWalRow& row : rows) {
        if (cluster && row.cluster != *cluster) continue;
        return std::optional<EnvironmentWal>(
            {TRY(json::decode_text<control_plane::ClusterWal>(row.wal, json::kLenient)), row.reported_at});
    }
    return std::optional<EnvironmentWal>();
}

}  // namespace backstay::store
