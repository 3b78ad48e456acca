// What the socket API tells of WAL archiving.
#pragma once

#include <string>
#include <vector>

#include "agent/archiver/service.h"
#include "agent/local-api/messages.h"
#include "common/sqlite/database.h"

namespace backstay::local_api {

Result<std::vector<WalView>> view_wal(sqlite::Database& database, const std::vector<archiver::ClusterStatus>& clusters);

// GET shows, POST with `apply` makes.
Result<WalSetupAnswer> set_up_wal(const AgentConfig& config, const WalSetupRequest& request);

}  // namespace backstay::local_api
