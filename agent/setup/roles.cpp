#include <fmt/format.h>

#include <iterator>

#include "agent/odoo/location.h"
#include "agent/setup/setup.h"
#include "common/pq/quote.h"

namespace backstay::setup {
namespace {

struct State {
    bool exists = false, login = false, super = false, replication = false;
    bool own = false;  // PostgreSQL's first account: left alone
    bool reads = false, monitors = false, switches = false;
    int version = 0;
};

Result<State> state_of(Host& host, const ClusterConfig& cluster) {
    constexpr std::string_view kMember =
        "coalesce((SELECT pg_has_role(r.oid, g.oid, 'USAGE') FROM pg_roles g WHERE g.rolname = '{}'), false)";
    const std::string sql = fmt::format(
        "SELECT current_setting('server_version_num'), r.oid IS NOT NULL, r.rolcanlogin, r.rolsuper, r.rolreplication, "
        "r.oid = 10, {}, {}, coalesce(has_function_privilege(r.oid, 'pg_switch_wal()', 'EXECUTE'), false) "
        "FROM (SELECT 1) one LEFT JOIN pg_roles r ON r.rolname = {};\n",
        fmt::format(kMember, "pg_read_all_data"), fmt::format(kMember, "pg_monitor"), pq::quote_literal(cluster.user));
    const std::string answer = TRY(host.as_superuser(cluster, cluster.database, sql));
    auto fields = lines_of(answer.substr(0, answer.find('\n')), '|');
    if (fields.size() != 9) return Error(Errc::io, "psql answered " + answer);
    const auto is = [&](std::size_t at) { return fields[at] == "t"; };
    return State{is(1), is(2), is(3), is(4), is(5), is(6), is(7), is(8), std::atoi(fields[0].c_str())};
}

Result<> log_in(Host& host, const ClusterConfig& cluster, bool base_backups) {
    auto done = host.log_in(cluster, base_backups);
    if (done) return {};
    const std::string file = host.as_superuser(cluster, cluster.database, "SHOW hba_file;\n").value_or("pg_hba.conf");
    return std::move(done).error().with_hint(fmt::format(
        "{0} must let it in: \"local all {1} peer\"{2} before the other lines, then SELECT pg_reload_conf()",
        file.substr(0, file.find('\n')), cluster.user,
        base_backups ? fmt::format(" and \"local replication {} peer\"", cluster.user) : ""));
}

class Changes {
public:
    Changes(const ClusterConfig& cluster, bool wal) : cluster_(cluster), wal_(wal) {}
    void add(const std::string& database, std::string statement) { all_.emplace_back(database, std::move(statement)); }
    std::vector<std::string> told() const {
        std::vector<std::string> lines;
        for (const auto& [database, statement] : all_) {
            lines.push_back(fmt::format("SQL in {} of {}: {};", database, cluster_.name, statement));
        }
        return lines;
    }
    bool empty() const { return all_.empty(); }
    Result<> apply(Host& host) const {
        for (const auto& [database, statement] : all_) {
            TRY(host.as_superuser(cluster_, database, statement + ";\n").context(statement));
        }
        return log_in(host, cluster_, wal_);
    }

private:
    ClusterConfig cluster_;
    bool wal_;
    std::vector<std::pair<std::string, std::string>> all_;
};

// A restore creates, renames and hands over databases, ends sessions of others and marks unaccent() immutable.
void want_superuser(const ClusterConfig& cluster, const State& now, Changes& changes) {
    const std::string role = pq::quote_identifier(cluster.user);
    if (!now.exists) return changes.add(cluster.database, fmt::format("CREATE ROLE {} LOGIN SUPERUSER", role));
    if (!now.super || !now.login) changes.add(cluster.database, fmt::format("ALTER ROLE {} LOGIN SUPERUSER", role));
}

void want_reader(const Context& context, const ClusterConfig& cluster, const State& now,
                 const std::vector<OdooDatabase>& databases, Changes& changes) {
    const std::string role = pq::quote_identifier(cluster.user);
    const bool wal = find_wal(context.config, cluster.name) != nullptr;
    const auto add = [&](std::string statement) { changes.add(cluster.database, std::move(statement)); };
    if (!now.exists) add(fmt::format("CREATE ROLE {} LOGIN{}", role, wal ? " REPLICATION" : ""));
    if (now.exists && now.super) add(fmt::format("ALTER ROLE {} NOSUPERUSER", role));
    if (now.exists && (!now.login || (wal && !now.replication))) {
        add(fmt::format("ALTER ROLE {} LOGIN{}", role, wal ? " REPLICATION" : ""));
    }
    // A superuser seems to have them all.
    if (!now.reads || now.super) add(fmt::format("GRANT pg_read_all_data TO {}", role));
    if (wal && (!now.monitors || now.super)) add(fmt::format("GRANT pg_monitor TO {}", role));
    if (wal && (!now.switches || now.super)) add(fmt::format("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {}", role));
    for (const OdooDatabase& database : databases) {
        if (!database.may_connect) {
            changes.add(cluster.database,
                        fmt::format("GRANT CONNECT ON DATABASE {} TO {}", pq::quote_identifier(database.name), role));
        }
        if (!database.may_insert) {
            changes.add(database.name, fmt::format("GRANT INSERT ON public.ir_attachment TO {}", role));
        }
    }
}

Step role_in(Context& context, const ClusterConfig& cluster) {
    auto now = state_of(context.host, cluster);
    const bool present = now && now->exists && !context.wishes.role;
    const bool restores = present ? now->super : context.role == Role::restore;
    Step step{"role", fmt::format("role {} in PostgreSQL {}", cluster.user, cluster.name),
              restores ? "restores create, rename and hand over databases: a superuser's work"
                       : "reads everything for backups; INSERT into ir_attachment is only for the lock that keeps Odoo "
                         "from deleting files meanwhile"};
    if (!now) return Step::failed(step.name, step.about, now.error());
    if (now->own) return step;
    const bool wal = find_wal(context.config, cluster.name) != nullptr;
    Changes changes(cluster, wal);
    if (restores) {
        want_superuser(cluster, *now, changes);
    } else {
        if (now->version < 140000) {
            return Step::failed(step.name, step.about,
                                Error(Errc::invalid, "this PostgreSQL has no role pg_read_all_data (since version 14)")
                                    .with_hint("--role restore, or give SELECT on everything to a role by hand"));
        }
        const OdooDatabases databases = odoo_databases(context, cluster);
        want_reader(context, cluster, *now, databases.found, changes);
        step.left = databases.unknown;
    }
    step.changes = changes.told();
    step.apply = [&host = context.host, changes] { return changes.apply(host); };
    if (!changes.empty()) return step;
    const auto logged_in = log_in(context.host, cluster, wal);
    return logged_in ? step : Step::failed(step.name, step.about, logged_in.error());
}

// nullopt: no Odoo lives in it.
Result<std::optional<OdooDatabase>> look_into(Context& context, const ClusterConfig& cluster, const std::string& name) {
    const std::string answer = TRY(context.host.as_superuser(
        cluster, name,
        fmt::format("SELECT coalesce(has_table_privilege(r.oid, a.oid, 'INSERT'), false), "
                    "has_database_privilege('public', current_database()::text, 'CONNECT') OR "
                    "coalesce(has_database_privilege(r.oid, current_database()::text, 'CONNECT'), false) FROM "
                    "(SELECT to_regclass('public.ir_attachment')::oid AS oid) a LEFT JOIN pg_roles r ON "
                    "r.rolname = {} AND NOT r.rolsuper WHERE a.oid IS NOT NULL;\n",
                    pq::quote_literal(cluster.user))));
    if (answer.size() < 3) return std::optional<OdooDatabase>();
    OdooDatabase database{cluster.name, name, "", answer[0] == 't', answer[2] == 't'};
    const auto location = odoo::locate(context.config, cluster.name, name, std::nullopt, std::nullopt);
    if (location) database.filestore = location->filestore;
    return std::optional(std::move(database));
}

}  // namespace

Result<std::optional<Role>> present_role(Context& context) {
    const State now = TRY(state_of(context.host, context.config.clusters.front()));
    if (!now.exists) return std::optional<Role>();
    return std::optional(now.super ? Role::restore : Role::backup);
}

OdooDatabases odoo_databases(Context& context, const ClusterConfig& cluster) {
    OdooDatabases databases;
    // An interrupted DROP DATABASE leaves one that lets nobody in (-2).
    const auto names = context.host.as_superuser(
        cluster, cluster.database,
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn AND datconnlimit <> -2 AND datname "
        "!~ '[[:cntrl:]]' ORDER BY 1;\n");
    if (!names) {
        databases.unknown.push_back(
            fmt::format("databases of {} could not be looked at: {}", cluster.name, names.error().message()));
        return databases;
    }
    for (const std::string& name : lines_of(*names)) {
        auto database = look_into(context, cluster, name);
        if (!database) {
            databases.unknown.push_back(fmt::format("database {} of {} could not be looked at: {}", name, cluster.name,
                                                    database.error().message()));
        } else if (*database) {
            databases.found.push_back(std::move(**database));
        }
    }
    return databases;
}

OdooDatabases odoo_databases(Context& context) {
    OdooDatabases all;
    for (const ClusterConfig& cluster : context.config.clusters) {
        OdooDatabases some = odoo_databases(context, cluster);
        std::move(some.found.begin(), some.found.end(), std::back_inserter(all.found));
        std::move(some.unknown.begin(), some.unknown.end(), std::back_inserter(all.unknown));
    }
    return all;
}

std::vector<Step> roles(Context& context) {
    std::vector<Step> steps;
    for (const ClusterConfig& cluster : context.config.clusters) steps.push_back(role_in(context, cluster));
    return steps;
}

}  // namespace backstay::setup
