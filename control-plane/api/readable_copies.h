// Which destinations a backup can be read from.
#pragma once

#include <string>
#include <vector>

#include "control-plane/api/call.h"
#include "control-plane/operations/history.h"
#include "control-plane/store/destinations.h"

namespace backstay::api {

// Those that hold all of it and that the agent reaches, best first: a local folder is seen only by the agent that wrote
// it.
Result<std::vector<store::DestinationRow>> readable_copies(const Call& call, sqlite::Database& db,
                                                           const operations::BackupRow& backup,
                                                           const std::string& agent_id);

}  // namespace backstay::api
