// Odoo's dump.sql into an empty database, by psql.
#pragma once

#include <stop_token>
#include <string>

#include "agent/postgres/cluster.h"
#include "common/bytes.h"

namespace backstay::odoo_zip {

struct Loading {
    const ClusterConfig& cluster;
    std::string database;
    std::string owner;  // the role that gets what it makes; empty: the cluster's user
    Tool psql;
    std::stop_token stop;
};

// The first statement that fails ends it: structure_invalid, with what psql said. psql's own commands (\!, \copy …) are
// refused: the script is somebody else's. Its SQL is not: it may do whatever the agent's role may.
Result<> load_script(const Loading& loading, Source& script);

}  // namespace backstay::odoo_zip
