#include "agent/postgres/dump.h"

#include <fmt/format.h>

#include <array>

#include "common/domain/reasons.h"

namespace backstay::postgres {
namespace {

constexpr std::size_t kListMax = 256 << 20;
constexpr std::int64_t kShortToolMs = 10 * 60 * 1000;

struct Words {
    std::string_view words;
    std::string_view reason;
    Errc code;
    std::string_view hint;
};

constexpr std::array<Words, 8> kKnown{{
    {"server version mismatch", reason::kPgToolTooOld, Errc::invalid, "install the server's own client version"},
    {"password authentication failed", reason::kDbAuthFailed, Errc::denied, ""},
    {"permission denied", reason::kDbDumpFailed, Errc::denied,
     "the backup role must be able to read every table: GRANT pg_read_all_data, or let it be a superuser"},
    {"does not exist", reason::kDbDumpFailed, Errc::not_found, ""},
    {"No space left on device", reason::kDiskSpaceLow, Errc::exhausted, "the scratch folder is full"},
    {"lock timeout", reason::kDbDumpFailed, Errc::unavailable, "another session holds an exclusive lock"},
    {"could not obtain lock", reason::kDbDumpFailed, Errc::unavailable, "a module upgrade may be running"},
    {"connection to server", reason::kDbDumpFailed, Errc::unavailable, ""},
}};

// The database stands in the environment, so that its name is never taken for an option or a connection string.
ProcessSpec tool_process(const Tool& tool, const ClusterConfig& cluster, const std::string& database,
                         std::stop_token stop) {
    ProcessSpec spec;
    spec.argv = {tool.path, "--no-password"};
    spec.environment = tool_environment(cluster);
    spec.environment.insert_or_assign("PGDATABASE", database);
    // A restore sees by this name that a dump is under way, and does not begin.
    spec.environment.insert_or_assign("PGAPPNAME", "backstay backup");
    // A dump keeps the database's own encoding.
    spec.environment.erase("PGCLIENTENCODING");
    spec.stop = std::move(stop);
    return spec;
}

std::string words_of(const Error& error) {
    const auto found = error.facts().find("stderr");
    return error.message() + (found == error.facts().end() ? "" : "\n" + found->second);
}

}  // namespace

ProcessSpec dump_process(const DumpRequest& request) {
    ProcessSpec spec = tool_process(request.pg_dump, request.cluster, request.database, request.stop);
    // An upgrade that holds a table is waited for, but not for ever.
    spec.argv.insert(spec.argv.end(), {"--snapshot=" + request.snapshot, "--lock-wait-timeout=600s", "--compress=0"});
    spec.priority = request.priority;
    return spec;
}

Result<std::unique_ptr<Subprocess>> start_custom_dump(const DumpRequest& request) {
    ProcessSpec spec = dump_process(request);
    spec.argv.emplace_back("--format=custom");
    spec.stall_limit_ms = request.stall_limit_ms;
    return Subprocess::start(std::move(spec));
}

Result<std::string> dump_globals(const Tool& pg_dumpall, const ClusterConfig& cluster, bool with_passwords,
                                 std::stop_token stop) {
    ProcessSpec spec = tool_process(pg_dumpall, cluster, cluster.database, std::move(stop));
    spec.argv.emplace_back("--globals-only");
    if (!with_passwords) spec.argv.emplace_back("--no-role-passwords");
    // pg_dumpall takes its first connection from here.
    spec.argv.push_back("--database=" + cluster.database);
    return run_tool(std::move(spec), kShortToolMs, 64 << 20);
}

Result<std::string> list_archive(const Tool& pg_restore, const std::string& path, std::stop_token stop) {
    ProcessSpec spec;
    spec.argv = {pg_restore.path, "--list", path};
    spec.stop = std::move(stop);
    return run_tool(std::move(spec), kShortToolMs, kListMax).reason(reason::kStructureInvalid);
}

Error classify_dump_error(Error error) {
    if (error.code() == Errc::cancelled || error.code() == Errc::timed_out) {
        return std::move(error).with_reason(error.code() == Errc::cancelled ? reason::kCancelled : reason::kTimeout);
    }
    const std::string words = words_of(error);
    for (const Words& known : kKnown) {
        if (words.find(known.words) == std::string::npos) continue;
        Error named(known.code, error.message());
        for (const auto& [key, value] : error.facts()) named.add_fact(key, value);
        // "database … does not exist" is another thing than a table that vanished under the dump.
        const bool no_database = known.words == "does not exist" && words.find("database \"") != std::string::npos;
        named.add_reason(no_database ? reason::kDbNotFound : known.reason);
        if (!known.hint.empty()) named.add_hint(known.hint);
        return named;
    }
    return std::move(error).with_reason(reason::kDbDumpFailed);
}

bool is_worker_lock_failure(const Error& error) {
    return words_of(error).find("could not obtain lock on relation") != std::string::npos;
}

}  // namespace backstay::postgres
