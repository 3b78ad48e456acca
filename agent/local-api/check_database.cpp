#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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
constexpr int kNamesLooked = 50;

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

// Files that the newest attachments name, in Odoo's own form.
std::vector<std::string> newest_files(pq::Connection& connection) {
    std::vector<std::string> names;
    const auto rows =
        connection.query(fmt::format("SELECT store_fname FROM ir_attachment WHERE store_fname ~ "
                                     "'^[0-9a-f]{{2,3}}/[0-9a-f]{{40}}$' ORDER BY id DESC LIMIT {}",
                                     kNamesLooked));
    if (!rows) return names;  // rights are another check's
    for (std::size_t i = 0; i < rows->size(); ++i) names.emplace_back(rows->text(i, 0));
    return names;
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
                 pq::Connection& connection, CheckList& list) {
    const auto location = odoo::locate(config, cluster.name, database, std::nullopt, std::nullopt);
    if (!location) {
        return list.fail("odoo.conf", location.error().message(),
                         "name the right file with odoo_conf in an [[odoo]], readable by the agent's user");
    }
    check_filestore(location->filestore, newest_files(connection), list);
    const std::string data_dir = location->conf ? location->conf->get("data_dir") : "";
    const std::string by_conf = data_dir.empty() ? "" : fmt::format("{}/filestore/{}", data_dir, database);
    if (!by_conf.empty() && !location->filestore.empty() && by_conf != location->filestore) {
        list.warn("data_dir", fmt::format("odoo.conf says {}, the agent takes {}", by_conf, location->filestore),
                  "right if one leads to the other; else mend filestore in the [[odoo]]");
    }
    if (location->conf) return list.ok("odoo.conf", location->conf->path);
    list.warn("odoo.conf", "none was found: backups hold no configuration",
              "name it with odoo_conf in an [[odoo]] of the agent's configuration");
}

Result<std::uint64_t> size_of(pq::Connection& connection) {
    const auto size = TRY(connection.query("SELECT pg_database_size(current_database())"));
    return static_cast<std::uint64_t>(TRY(size.integer(0, 0)));
}

}  // namespace

void check_filestore(const std::string& filestore, const std::vector<std::string>& names, CheckList& list) {
    if (filestore.empty()) {
        return list.fail("filestore", "no filestore was found for this database",
                         "name it with filestore in an [[odoo]] of the agent's configuration");
    }
    if (!may_access(filestore, R_OK | X_OK)) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return list.fail("filestore", filestore + " is not there: a disk that is not mounted, or another folder",
                             "mount it, or name the right one with filestore in an [[odoo]]");
        }
        return list.fail("filestore", fmt::format("{} cannot be read by the agent's user", filestore),
                         "put the agent's user into the group of Odoo's files");
    }
    const auto missing = std::count_if(
        names.begin(), names.end(), [&](const std::string& name) { return !may_access(filestore + "/" + name, F_OK); });
    if (missing * 2 > static_cast<std::ptrdiff_t>(names.size())) {
        return list.fail(
            "filestore",
            fmt::format("{} has {} of the {} files that the newest attachments name: it is not this database's",
                        filestore, static_cast<std::ptrdiff_t>(names.size()) - missing, names.size()),
            "name this database's folder with filestore in an [[odoo]]");
    }
    list.ok("filestore", filestore);
    check_restores(filestore, list);
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
    if (may_be_odoo(*connection, list)) check_files(config, cluster, database, *connection, list);
    const auto size = size_of(*connection);
    if (!size) return list.fail("size", size.error());
    check_scratch(config, *size, list);
}

}  // namespace backstay::local_api
