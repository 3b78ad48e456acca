// Where an environment lies on its agent's host, as the agent's inventory tells it.
#pragma once

#include <string>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/store/environments.h"

namespace backstay::store {

struct Place {
    const control_plane::ClusterInfo* cluster = nullptr;
    const control_plane::DatabaseInfo* database = nullptr;
};

// An environment that names no cluster is in the first one that has its database, or in the only one. The answer points
// into `inventory`.
Place find_place(const control_plane::Inventory& inventory, const Environment& environment);

// Empty when the agent has told none yet.
Result<control_plane::Inventory> inventory_of(sql::Database& db, const std::string& agent_id);

}  // namespace backstay::store
