// Is this database an Odoo, and which one? Read inside the caller's transaction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/manifest.h"
#include "common/pq/connection.h"
#include "common/result.h"

namespace backstay::odoo {

struct Instance {
    std::string series;  // "17.0", from the base module
    std::string uuid;    // ir_config_parameter database.uuid
    bool neutralized = false;
    std::map<std::string, std::string> modules;      // installed ones and their versions
    std::vector<std::string> modules_in_transition;  // "sale (to upgrade)"
    std::vector<std::string> modules_to_neutralize;  // installed, to upgrade, to remove
};

// nullopt: no Odoo lives in this database.
Result<std::optional<Instance>> read_instance(pq::Connection& connection);

// Odoo's own manifest keys, as its database manager writes them.
OdooManifest odoo_manifest(const Instance& instance, const std::string& database, std::int32_t server_version_num);

}  // namespace backstay::odoo
