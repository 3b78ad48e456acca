// Where an Odoo of this host keeps its configuration and its files.
#pragma once

#include <optional>
#include <string>

#include "agent/config/config.h"
#include "agent/odoo/conf.h"
#include "common/result.h"

namespace backstay::odoo {

struct Location {
    std::optional<Conf> conf;
    std::string filestore;  // this database's folder; empty: none was found
};

// What is named (by the order, then by the agent's configuration) wins and must be readable: reason config_missing.
// Else odoo.conf is looked for in Debian's places, and the filestore below its data_dir or Odoo's defaults.
Result<Location> locate(const AgentConfig& config, const std::string& cluster, const std::string& database,
                        const std::optional<std::string>& named_filestore,
                        const std::optional<std::string>& named_conf);

}  // namespace backstay::odoo
