// What heartbeats tell of the archives of WAL: how archiving is, and which moments can be had back.
#pragma once

#include <vector>

#include "agent/archiver/service.h"
#include "common/sqlite/database.h"
#include "control-plane-client/protocol.h"

namespace backstay {

// One for each [[wal]] whose cluster is known by now, from an earlier start perhaps.
Result<std::vector<control_plane::ClusterWal>> report_wal(sqlite::Database& database,
                                                          const std::vector<archiver::ClusterStatus>& clusters,
                                                          const AgentConfig& config);

}  // namespace backstay
