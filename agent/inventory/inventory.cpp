#include "agent/inventory/inventory.h"

#include <unistd.h>

#include <set>

#include "agent/odoo/instance.h"
#include "agent/odoo/location.h"
#include "agent/postgres/cluster.h"
#include "common/files/files.h"
#include "common/pq/connection.h"

namespace backstay {
namespace {

using control_plane::ClusterInfo;
using control_plane::DatabaseInfo;

constexpr std::int64_t kConnectMs = 5'000;
constexpr std::int64_t kStatementMs = 30'000;
constexpr std::size_t kDatabasesMax = 500;

constexpr std::string_view kDatabases =
    "SELECT d.datname, pg_get_userbyid(d.datdba), "
    "CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) ELSE 0 END "
    "FROM pg_database d WHERE NOT d.datistemplate AND d.datallowconn ORDER BY d.datname";

constexpr std::string_view kFilestoreSize =
    "SELECT COALESCE(sum(size), 0)::bigint FROM (SELECT max(file_size) AS size FROM ir_attachment WHERE store_fname IS "
    "NOT NULL GROUP BY store_fname) AS files";

pq::ConnectParameters quick(const ClusterConfig& cluster, const std::string& database) {
    pq::ConnectParameters parameters = connect_parameters(cluster, database);
    parameters.connect_timeout_ms = kConnectMs;
    parameters.statement_timeout_ms = kStatementMs;
    return parameters;
}

Result<> look_into(const AgentConfig& config, const ClusterConfig& cluster, const std::stop_token& stop,
                   DatabaseInfo& info) {
    pq::Connection connection = TRY(pq::Connection::connect(quick(cluster, info.name), stop));
    const auto instance = TRY(odoo::read_instance(connection));
    if (!instance) return {};
    info.is_odoo = true;
    info.odoo_version = instance->series;
    info.database_uuid = instance->uuid;
    info.is_neutralized = instance->neutralized;
    info.installed_modules = static_cast<std::int32_t>(instance->modules.size());
    if (const auto base = instance->modules.find("base"); base != instance->modules.end()) {
        info.base_version = base->second;
    }
    const odoo::Location location = TRY(odoo::locate(config, cluster.name, info.name, std::nullopt, std::nullopt));
    if (!location.filestore.empty()) info.filestore = location.filestore;
    // What a backup would read: each file once, however many rows name it.
    if (const auto files = connection.query(kFilestoreSize)) {
        info.filestore_bytes = static_cast<std::uint64_t>(TRY(files->integer(0, 0)));
    }
    if (location.conf) info.odoo_conf = location.conf->path;
    return {};
}

Result<> look_at_server(const AgentConfig& config, const ClusterConfig& cluster, const std::stop_token& stop,
                        ClusterInfo& info) {
    pq::Connection connection = TRY(pq::Connection::connect(quick(cluster, cluster.database), stop));
    info.server_version_num = connection.server_version_num();
    const auto version = TRY(connection.query("SELECT split_part(current_setting('server_version'), ' ', 1)"));
    info.server_version = std::string(version.text(0, 0));
    // Not everybody may ask for it.
    if (const auto id = connection.query("SELECT system_identifier::text FROM pg_control_system()")) {
        info.system_id = std::string(id->text(0, 0));
    }
    const auto databases = TRY(connection.query(kDatabases));
    for (std::size_t row = 0; row < databases.size() && row < kDatabasesMax; ++row) {
        DatabaseInfo database;
        database.name = databases.text(row, 0);
        database.owner = databases.text(row, 1);
        database.size_bytes = static_cast<std::uint64_t>(TRY(databases.integer(row, 2)));
        if (const auto seen = look_into(config, cluster, stop, database); !seen) {
            database.problem = seen.error().message();
        }
        info.databases.push_back(std::move(database));
    }
    return {};
}

void add_disk(control_plane::Inventory& inventory, std::set<std::string>& seen, const std::string& path,
              const char* role) {
    if (path.empty() || !seen.insert(path).second) return;
    if (const auto space = free_space(path)) {
        inventory.disks.push_back({path, role, space->free_bytes, space->total_bytes});
    }
}

}  // namespace

control_plane::Inventory take_inventory(const AgentConfig& config, const std::stop_token& stop) {
    control_plane::Inventory inventory;
    char name[256] = {};
    if (::gethostname(name, sizeof(name) - 1) == 0) inventory.hostname = name;
    for (const ClusterConfig& cluster : config.clusters) {
        ClusterInfo info;
        info.name = cluster.name;
        info.host = cluster.host;
        info.port = cluster.port;
        if (const auto seen = look_at_server(config, cluster, stop, info); !seen) info.problem = seen.error().message();
        inventory.clusters.push_back(std::move(info));
    }
    std::set<std::string> seen;
    add_disk(inventory, seen, config.state_dir, "state");
    add_disk(inventory, seen, scratch_folder(config), "scratch");
    for (const std::string& root : config.local_roots) add_disk(inventory, seen, root, "destination");
    for (const DestinationOrder& destination : config.destinations) {
        const json::Value* path = destination.config.if_contains("path");
        if (destination.type == "local" && path != nullptr && path->is_string()) {
            add_disk(inventory, seen, std::string(path->get_string()), "destination");
        }
    }
    for (const ClusterInfo& cluster : inventory.clusters) {
        for (const DatabaseInfo& database : cluster.databases) {
            if (database.filestore) add_disk(inventory, seen, *database.filestore, "filestore");
        }
    }
    return inventory;
}

}  // namespace backstay
