// What an agent says of its clusters' WAL archives. Inside of control-plane/dispatch.
#pragma once

#include <vector>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

// Keeps it, and hides the base backups that are no longer in their archive (the agent removes them by age without being
// told, common/domain/wal_retention.h) and shows again those that are. `said_at` is of the agent's clock.
Result<> take_archives(sql::Database& db, const store::Agent& agent,
                       const std::vector<control_plane::ClusterWal>& archives, TimeMs said_at, TimeMs now);

}  // namespace backstay::dispatch
