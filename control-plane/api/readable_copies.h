// Which destinations a backup or a snapshot can be read from.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/store/destinations.h"

namespace backstay::api {

// Those that hold all of it and that the agent reaches, best first: a local folder is seen only by the agent that wrote
// it.
Result<std::vector<store::DestinationRow>> readable_copies(sql::Database& db, const dispatch::Stored& stored,
                                                           const std::string& agent_id);

}  // namespace backstay::api
