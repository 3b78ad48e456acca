#include "agent/jobs/restore/side_database.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "agent/jobs/restore/dump_list.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/swap.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/pq/quote.h"

namespace backstay::restore {
namespace {

constexpr std::int64_t kRightsLimit = 16 << 20;

std::string quoted(std::string_view name) { return pq::quote_identifier(name); }

// Index building is a large part of a restore, and sorts in memory where it may. Sessions of this restore only.
std::string session_options(std::int32_t jobs) {
    const auto pages = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
    const auto page = static_cast<std::uint64_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
    const std::uint64_t share = pages * page / 16 / static_cast<std::uint64_t>(std::max(1, jobs));
    const std::uint64_t megabytes = std::clamp<std::uint64_t>(share >> 20U, 64, 512);
    // What the last commits of the restore leave in memory, the swap's own commit writes out.
    return fmt::format(
        "-c maintenance_work_mem={}MB -c synchronous_commit=off -c statement_timeout=0 -c lock_timeout=0"
        " -c idle_in_transaction_session_timeout=0",
        megabytes);
}

Result<> create(const DatabaseMaking& making, pq::Connection& cluster) {
    const ManifestPostgres& source = making.manifest.postgres;
    const auto or_else = [](const std::string& text, const char* other) { return text.empty() ? other : text; };
    std::string sql = fmt::format(
        "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} IS_TEMPLATE true",
        quoted(making.name), quoted(making.target.owner), pq::quote_literal(or_else(source.encoding, "UTF8")),
        pq::quote_literal(or_else(source.collate, "C")), pq::quote_literal(or_else(source.ctype, "C")));
    if (making.target.database_exists) {
        const pq::Rows space = TRY(cluster.query(
            "SELECT t.spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1",
            {making.target.database}));
        if (!space.empty()) sql += " TABLESPACE " + quoted(space.text(0, 0));
    }
    TRY(cluster.exec(sql).context("create " + making.name));
    return cluster.exec(fmt::format("REVOKE ALL ON DATABASE {} FROM PUBLIC", quoted(making.name)));
}

// A bare name with "=" in it would be taken for a connection string.
std::string connection_string(const std::string& database) {
    std::string text = "dbname='";
    for (const char c : database) {
        if (c == '\'' || c == '\\') text += '\\';
        text += c;
    }
    return text + "'";
}

class Restorer {
public:
    Restorer(const DatabaseMaking& making, const FetchedDump& dump, const Tool& tool)
        : making_(making), dump_(dump), tool_(tool), lists_(split_list(dump.toc)) {}

    // As the owner, to whom extensions and everything else shall belong; an extension that is not trusted needs a
    // superuser.
    Result<> prepare() {
        if (lists_.first.empty()) return {};
        auto prepared = run(lists_.first, "first", 1, true);
        if (!prepared && making_.target.superuser) prepared = run(lists_.first, "first", 1, false);
        return prepared;
    }
    Result<> restore() { return run(lists_.main, "main", making_.jobs, true); }

    Result<std::string> rights_sql() {
        if (lists_.rights.empty()) return std::string();
        TRY(atomic_write(list_path("rights"), lists_.rights, 0600));
        ProcessSpec spec = tool_process();
        spec.argv = {tool_.path, "-L", list_path("rights"), "-f", "-", dump_.path};
        return run_tool(std::move(spec), 300'000, kRightsLimit);
    }

private:
    std::string list_path(const std::string& name) const {
        return fmt::format("{}/{}.list", parent_of(dump_.path), name);
    }

    ProcessSpec tool_process() const {
        ProcessSpec spec;
        spec.environment = tool_environment(making_.target.cluster);
        spec.environment["PGAPPNAME"] = "backstay restore";
        spec.environment["PGOPTIONS"] = session_options(making_.jobs);
        spec.stop = making_.stop;
        return spec;
    }

    Result<> run(const std::string& list, const std::string& name, std::int32_t jobs, bool as_owner) {
        TRY(atomic_write(list_path(name), list, 0600));
        ProcessSpec spec = tool_process();
        spec.argv = {tool_.path,
                     "--exit-on-error",
                     "--no-owner",
                     "-L",
                     list_path(name),
                     "-j",
                     std::to_string(jobs),
                     "-d",
                     connection_string(making_.name)};
        if (as_owner) spec.argv.insert(spec.argv.end() - 2, "--role=" + making_.target.owner);
        spec.argv.push_back(dump_.path);
        spec.pipe_stdout = false;
        auto child = TRY(Subprocess::start(std::move(spec)));
        auto ended = child->wait_success();
        if (ended) return {};
        Error error = std::move(ended).error();
        if (child->stderr_tail().find("No space left on device") != std::string::npos) {
            error.add_reason(reason::kDiskSpaceLow);
        }
        error.add_reason(error.code() == Errc::cancelled ? reason::kCancelled : reason::kRestoreFailed);
        return error;
    }

    const DatabaseMaking& making_;
    const FetchedDump& dump_;
    const Tool& tool_;
    DumpLists lists_;
};

// Odoo's setup, which no dump carries (docs of Odoo; without it indexes on unaccent() cannot be built).
Result<> make_unaccent_immutable(const DatabaseMaking& making, pq::Connection& database) {
    if (!making.manifest.postgres.unaccent_immutable) return {};
    const pq::Rows functions = TRY(database.query(
        "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = "
        "p.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'unaccent' AND "
        "p.proname = 'unaccent' AND p.pronargs = 1"));
    for (std::size_t i = 0; i < functions.size(); ++i) {
        TRY(database.exec(fmt::format("ALTER FUNCTION {} IMMUTABLE", functions.text(i, 0))));
    }
    return {};
}

Result<> apply_rights(const DatabaseMaking& making, const std::string& sql, pq::Connection& database,
                      DatabaseMade& made) {
    const pq::Rows roles = TRY(database.query("SELECT rolname FROM pg_roles"));
    std::set<std::string> known;
    for (std::size_t i = 0; i < roles.size(); ++i) known.emplace(roles.text(i, 0));
    std::map<std::string, std::string> renamed;
    if (!making.manifest.postgres.owner.empty()) renamed[making.manifest.postgres.owner] = making.target.owner;
    const MappedRights rights = map_rights(sql, renamed, known);
    std::string all;
    for (const std::string& statement : rights.statements) all += statement + "\n";
    if (!all.empty()) TRY(database.exec(all).context("grant rights"));
    made.grants = static_cast<std::int64_t>(rights.statements.size());
    if (!rights.missing_roles.empty()) {
        made.notes.push_back(fmt::format("restore_database: rights of roles that this server lacks were left out: {}",
                                         fmt::join(rights.missing_roles, ", ")));
    }
    return {};
}

// Tells how far the database has grown, once a second.
class SizeWatch {
public:
    explicit SizeWatch(const DatabaseMaking& making) {
        if (!making.on_size) return;
        thread_ = std::jthread([&making, this](const std::stop_token& stop) {
            auto connection = connect_to_cluster(making.target.cluster, stop);
            std::unique_lock lock(mutex_);
            std::uint64_t told = 0;
            while (connection && !wake_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; }) &&
                   !stop.stop_requested()) {
                auto size = connection->query("SELECT pg_database_size($1)", {making.name});
                if (!size) return;
                const auto bytes = static_cast<std::uint64_t>(size->integer(0, 0).value_or(0));
                if (bytes > told) making.on_size(bytes - told);
                told = std::max(told, bytes);
            }
        });
    }

private:
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

Result<> copy_setting(pq::Connection& cluster, const std::string& to, std::string_view role, std::string_view entry) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) return {};
    const std::string_view name = entry.substr(0, equals);
    const std::string_view value = entry.substr(equals + 1);
    // Lists of names are stored quoted as they are written.
    const bool list = name == "search_path" || name == "temp_tablespaces" || name.ends_with("_preload_libraries");
    const std::string written = list && !value.empty() ? std::string(value) : pq::quote_literal(value);
    const std::string whose = role.empty() ? fmt::format("DATABASE {}", quoted(to))
                                           : fmt::format("ROLE {} IN DATABASE {}", quoted(role), quoted(to));
    return cluster.exec(fmt::format("ALTER {} SET {} TO {}", whose, quoted(name), written))
        .context(fmt::format("setting {}", name));
}

}  // namespace

Result<DatabaseMade> make_database(const DatabaseMaking& making, const FetchedDump& dump, const Tool& pg_restore,
                                   pq::Connection& cluster) {
    TRY(drop_database(cluster, making.name));
    TRY(create(making, cluster));
    const SizeWatch watch(making);
    Restorer restorer(making, dump, pg_restore);
    TRY(restorer.prepare());
    pq::ConnectParameters parameters = connect_parameters(making.target.cluster, making.name);
    parameters.application_name = "backstay restore";
    auto database = TRY(pq::Connection::connect(parameters, making.stop));
    TRY(make_unaccent_immutable(making, database));
    TRY(restorer.restore());
    DatabaseMade made;
    const std::string rights = TRY(restorer.rights_sql());
    TRY(apply_rights(making, rights, database, made));
    return made;
}

Result<> copy_settings(pq::Connection& cluster, const std::string& from, const std::string& to) {
    const pq::Rows settings = TRY(cluster.query(
        "SELECT coalesce(r.rolname, ''), unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = "
        "s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = $1",
        {from}));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        TRY(copy_setting(cluster, to, settings.text(i, 0), settings.text(i, 1)));
    }
    const pq::Rows about =
        TRY(cluster.query("SELECT datconnlimit, shobj_description(oid, 'pg_database'), datacl IS NULL FROM pg_database "
                          "WHERE datname = $1",
                          {from}));
    const std::string usual = fmt::format("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC", quoted(to));
    if (about.empty()) return cluster.exec(usual);
    TRY(cluster.exec(fmt::format("ALTER DATABASE {} CONNECTION LIMIT {}", quoted(to), about.text(0, 0))));
    if (!about.is_null(0, 1)) {
        TRY(cluster.exec(fmt::format("COMMENT ON DATABASE {} IS {}", quoted(to), pq::quote_literal(about.text(0, 1)))));
    }
    if (about.boolean(0, 2)) return cluster.exec(usual);
    const pq::Rows rights = TRY(
        cluster.query("SELECT a.privilege_type, r.rolname, a.is_grantable FROM pg_database d, aclexplode(d.datacl) a"
                      " LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE d.datname = $1",
                      {from}));
    for (std::size_t i = 0; i < rights.size(); ++i) {
        TRY(cluster.exec(fmt::format("GRANT {} ON DATABASE {} TO {}{}", rights.text(i, 0), quoted(to),
                                     rights.is_null(i, 1) ? "PUBLIC" : quoted(rights.text(i, 1)),
                                     rights.boolean(i, 2) ? " WITH GRANT OPTION" : "")));
    }
    return {};
}

}  // namespace backstay::restore
