// One PostgreSQL cluster as this host knows it: how to connect, which of its programs to call, and with what
// environment. Stateless; any thread.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/config/config.h"
#include "common/pq/connection.h"
#include "common/process/subprocess.h"
#include "common/result.h"

namespace backstay {

// The [[cluster]] of that name; absent name: the only or the first one. not_found with reason db_unreachable.
Result<ClusterConfig> find_cluster(const AgentConfig& config, const std::optional<std::string>& name);

// The [[odoo]] entry for a database: the one that names it, else one of the cluster that names none.
const OdooConfig* find_odoo(const AgentConfig& config, const std::string& cluster, const std::string& database);

pq::ConnectParameters connect_parameters(const ClusterConfig& cluster, const std::string& database);

struct Tool {
    std::string path;
    std::string version;  // "15.18"
    std::int32_t major = 0;
};
// "pg_dump", "pg_restore" …: never older than the server. Looked for in bin_dir alone when it is set, else among
// /usr/lib/postgresql/<major>/bin (the server's major first, then newer ones) and in PATH. pg_tool_too_old.
Result<Tool> find_tool(const ClusterConfig& cluster, std::string_view name, std::int32_t server_version_num);

// PGHOST, PGPORT, PGUSER, PGPASSFILE, PGAPPNAME … for a tool; the database is an argument of its own.
std::map<std::string, std::string> tool_environment(const ClusterConfig& cluster);

}  // namespace backstay
