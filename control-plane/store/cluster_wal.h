// What agents last said of the WAL archives of their clusters.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "control-plane-client/protocol.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct ClusterWalRow {
    std::string cluster;  // as the agent's configuration names it
    std::string archive;  // the archive's folder in its destinations
    std::string wal;      // JSON of protocol.h's ClusterWal
    TimeMs reported_at = 0;
};

class ClusterWals {
public:
    explicit ClusterWals(sql::Database& db) : db_(db) {}

    // All clusters of the agent at once: those it no longer names are forgotten.
    Result<> replace(std::string_view agent, const std::vector<ClusterWalRow>& rows);
    Result<std::vector<ClusterWalRow>> of_agent(std::string_view agent);

private:
    sql::Database& db_;
};

struct EnvironmentWal {
    control_plane::ClusterWal wal;
    TimeMs reported_at = 0;
};
// The archive of the environment's cluster; absent: its agent archives no WAL of it.
Result<std::optional<EnvironmentWal>> wal_of(sql::Database& db, const Environment& environment);

}  // namespace backstay::store
