#include <fmt/format.h>
#include <unistd.h>

#include "agent/local-api/check_host.h"
#include "agent/odoo/instance.h"
#include "agent/odoo/location.h"
#include "agent/postgres/cluster.h"
#include "common/files/files.h"
#include "common/files/rights.h"
#include "common/human.h"
#include "common/pq/connection.h"

namespace backstay::local_api {
namespace {

constexpr std::int64_t kConnectMs = 5'000;
constexpr std::int64_t kStatementMs = 30'000;

// Relations that pg_dump must lock and read, and that this role may not.
constexpr std::string_view kUnreadable =
    "SELECT count(*), min(n.nspname || '.' || c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'm', 'S') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' "
    "AND NOT (CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') "
    "ELSE has_table_privilege(c.oid, 'SELECT') END)";

void check_tools(const ClusterConfig& cluster, std::int32_t server, CheckList& list) {
    for (const char* name : {"pg_dump", "pg_restore"}) {
        const auto tool = find_tool(cluster, name, server);
        if (tool) {
            list.ok(name, fmt::format("{} {}", tool->path, tool->version));
        } else {
            list.fail(name, tool.error());
        }
    }
}

Result<> check_rights(pq::Connection& connection, CheckList& list) {
    const auto role =
        TRY(connection.query("SELECT rolsuper, rolcreatedb, rolname FROM pg_roles WHERE rolname = current_user"));
    const bool super = role.boolean(0, 0);
    const std::string name(role.text(0, 2));
    const auto unreadable = TRY(connection.query(kUnreadable));
    const auto count = TRY(unreadable.integer(0, 0));
    if (count > 0) {
        list.fail(
            "read rights",
            fmt::format("{} may not read {} of its tables and sequences ({} …)", name, count, unreadable.text(0, 1)),
            fmt::format("GRANT pg_read_all_data TO \"{}\"", name));
    } else {
        list.ok("read rights", fmt::format("{} may read everything", name));
    }
    if (super) {
        list.ok("restore rights", fmt::format("{} is a superuser", name));
    } else {
        list.warn("restore rights",
                  fmt::format("{} is no superuser: a restore cannot mark unaccent() immutable, nor "
                              "end sessions of other owners",
                              name),
                  fmt::format("ALTER ROLE \"{}\" SUPERUSER, if this host is to restore by itself", name));
    }
    return {};
}

void check_filestore(const odoo::Location& location, CheckList& list) {
    if (location.filestore.empty()) {
        return list.fail("filestore", "no filestore was found for this database",
                         "name it with filestore in an [[odoo]] of the agent's configuration");
    }
    if (!may_access(location.filestore, R_OK | X_OK)) {
        return list.fail("filestore", fmt::format("{} cannot be read by the agent's user", location.filestore),
                         "put the agent's user into the group of Odoo's files");
    }
    list.ok("filestore", location.filestore);
    check_restores(location.filestore, list);
}

// What may not be read may still be an Odoo: its files are looked at all the same.
bool may_be_odoo(pq::Connection& connection, CheckList& list) {
    const auto read = odoo::read_instance(connection);
    if (!read) {
        list.fail("odoo", read.error());
        return true;
    }
    const std::optional<odoo::Instance>& instance = *read;
    if (!instance) {
        list.warn("odoo", "no Odoo lives in this database: only the database is backed up (--type db)");
        return false;
    }
    list.ok("odoo", fmt::format("Odoo {}, {} modules{}", instance->series, instance->modules.size(),
                                instance->neutralized ? ", neutralized" : ""));
    if (!instance->modules_in_transition.empty()) {
        list.warn(
            "modules",
            fmt::format("{} modules wait to be installed, upgraded or removed", instance->modules_in_transition.size()),
            "a backup taken now restores into that half-way state");
    }
    return true;
}

void check_files(const AgentConfig& config, const ClusterConfig& cluster, const std::string& database,
                 CheckList& list) {
    const auto location = odoo::locate(config, cluster.name, database, std::nullopt, std::nullopt);
    if (!location) return list.fail("odoo.conf", location.error());
    check_filestore(*location, list);
    if (location->conf) return list.ok("odoo.conf", location->conf->path);
    list.warn("odoo.conf", "none was found: backups hold no configuration",
              "name it with odoo_conf in an [[odoo]] of the agent's configuration");
}

Result<std::uint64_t> size_of(pq::Connection& connection) {
    const auto size = TRY(connection.query("SELECT pg_database_size(current_database())"));
    return static_cast<std::uint64_t>(TRY(size.integer(0, 0)));
}

void check_scratch(const AgentConfig& config, std::uint64_t database_bytes, CheckList& list) {
    const std::string folder = scratch_folder(config);
    const auto space = free_space(folder);
    if (!space) return list.fail("scratch space", space.error());
    const std::string message = fmt::format("{} free in {}, the database has {}", human::size(space->free_bytes),
                                            folder, human::size(database_bytes));
    if (space->free_bytes < database_bytes) {
        return list.warn("scratch space", message,
                         "a restore fetches the dump there; name a larger place with scratch_dir");
    }
    list.ok("scratch space", message);
}

}  // namespace

void check_database(const AgentConfig& config, const ClusterConfig& cluster, const std::string& database,
                    const std::stop_token& stop, CheckList& list) {
    list.about(fmt::format("database {}", database));
    pq::ConnectParameters parameters = connect_parameters(cluster, database);
    parameters.connect_timeout_ms = kConnectMs;
    parameters.statement_timeout_ms = kStatementMs;
    auto connection = pq::Connection::connect(parameters, stop);
    if (!connection) return list.fail("connection", connection.error());
    list.ok("connection", fmt::format("PostgreSQL {} at {}:{} as {}", connection->server_version_num() / 10000,
                                      cluster.host, cluster.port, cluster.user));
    check_tools(cluster, connection->server_version_num(), list);
    if (const auto rights = check_rights(*connection, list); !rights) list.fail("rights", rights.error());
    if (may_be_odoo(*connection, list)) check_files(config, cluster, database, list);
    const auto size = size_of(*connection);
    if (!size) return list.fail("size", size.error());
    check_scratch(config, *size, list);
}

}  // namespace backstay::local_api
