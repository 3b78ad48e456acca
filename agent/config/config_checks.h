// What the configuration's tables mean, apart from how they are written. One function per kind of table.
#pragma once

#include "agent/config/config.h"
#include "agent/config/section.h"

namespace backstay::config {

// http or https, a host, and no user, password or query: it is shown in logs.
bool is_control_plane_url(std::string_view url);

void read_top(Section& section, AgentConfig& config);
void read_control_plane(Section& section, AgentConfig& config);
void read_limits(Section& section, Limits& limits);
void read_cluster(Section& section, AgentConfig& config);
void read_odoo(Section& section, AgentConfig& config);
// Keys in snake_case as the contract has them in camelCase; `<key>_file` names a file that holds the value. Reads those
// files, so that a missing secret shows at start and not in the night.
void read_destination(Section& section, AgentConfig& config);
void read_wal(Section& section, AgentConfig& config);
// What concerns several tables.
void check_whole(const AgentConfig& config, Faults& faults);

}  // namespace backstay::config
