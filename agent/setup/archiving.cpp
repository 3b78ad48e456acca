#include <fmt/format.h>

#include <algorithm>

#include "agent/archiver/setup.h"
#include "agent/postgres/cluster.h"
#include "agent/setup/setup.h"

namespace backstay::setup {
namespace {

constexpr const char* kReload = "SELECT pg_reload_conf()";
// What is written but waits for a restart; the last line of a name holds.
constexpr const char* kWritten =
    "SELECT name, setting FROM pg_file_settings WHERE name IN ('wal_level', 'archive_mode', 'archive_command', "
    "'archive_library', 'archive_timeout', 'max_wal_senders') ORDER BY seqno;\n";

// A value may hold the separator: all behind the first `count` fields is the last one.
std::vector<std::string> fields_of(const std::string& line, std::size_t count) {
    std::vector<std::string> fields;
    std::size_t begin = 0;
    while (fields.size() < count) {
        const std::size_t end = std::min(line.find('|', begin), line.size());
        fields.push_back(line.substr(begin, end - begin));
        begin = std::min(end + 1, line.size());
    }
    fields.push_back(line.substr(begin));
    return fields;
}

Result<std::vector<archiver::SetupLine>> settings_of(Context& context, const ClusterConfig& cluster,
                                                     const WalConfig& wal) {
    archiver::Settings settings;
    const std::string sql = fmt::format(
        "SELECT name, restart, pending_restart, setting FROM ({}) AS s (name, setting, "
        "restart, pending_restart);\n",
        archiver::kSettingsQuery);
    for (const std::string& line : lines_of(TRY(context.host.as_superuser(cluster, cluster.database, sql)))) {
        const auto fields = fields_of(line, 3);
        settings[fields[0]] = {fields[3], fields[1] == "t", fields[2] == "t"};
    }
    std::map<std::string, std::string> written;
    for (const std::string& line : lines_of(TRY(context.host.as_superuser(cluster, cluster.database, kWritten)))) {
        const auto fields = fields_of(line, 1);
        written[fields[0]] = fields[1];
    }
    auto lines = archiver::compare_settings(settings, wal, context.config.wal_socket, context.wishes.hook);
    for (archiver::SetupLine& line : lines) {
        const auto found = written.find(line.name);
        if (!line.good && found != written.end() && found->second == line.wanted) line.current = line.wanted;
        // Without archive_mode the server shows no command; whose it is must be known all the same.
        if (line.name == "archive_command" && line.current == "(disabled)") {
            line.current = found == written.end() ? "" : found->second;
        }
    }
    return lines;
}

// Another program's command: replacing it would end its archive.
bool is_of_others(const archiver::SetupLine& line) {
    const bool command = line.name == "archive_command" || line.name == "archive_library";
    return command && line.current != line.wanted && !line.current.empty() &&
           (line.current.find("backstay") == std::string::npos || line.current.find("wal-push") == std::string::npos);
}

Step archive_of(Context& context, const WalConfig& wal) {
    Step step{"wal", "WAL archive of PostgreSQL " + wal.cluster, "any moment of the last days can then be had back"};
    const auto cluster = find_cluster(context.config, wal.cluster);
    if (!cluster) return Step::failed(step.name, step.about, cluster.error());
    const auto lines = settings_of(context, *cluster, wal);
    if (!lines) return Step::failed(step.name, step.about, lines.error());
    std::string waits;
    for (const archiver::SetupLine& line : *lines) {
        if (is_of_others(line)) {
            return Step::failed(
                step.name, step.about,
                Error(Errc::conflict, fmt::format("{} is another program's: {}", line.name, line.current))
                    .with_hint("take it out of postgresql.conf (ALTER SYSTEM RESET), then run this again"));
        }
        if (!line.good && line.needs_restart) waits += (waits.empty() ? "" : ", ") + line.name;
    }
    std::vector<std::string> statements = archiver::setup_statements(*lines);
    // Written, but not in effect: somebody was interrupted between the two. Before archive_mode is, no command shows.
    const bool unloaded = std::any_of(lines->begin(), lines->end(), [](const archiver::SetupLine& line) {
        return !line.good && !line.needs_restart && line.current == line.wanted;
    });
    if (!statements.empty() || (unloaded && waits.empty())) statements.emplace_back(kReload);
    for (const std::string& statement : statements) {
        step.changes.push_back(fmt::format("SQL in {} of {}: {};", cluster->database, cluster->name, statement));
    }
    if (!waits.empty()) {
        step.left.push_back(fmt::format("restart PostgreSQL {} when it suits: it archives no WAL before (waiting: {})",
                                        cluster->name, waits));
    }
    step.apply = [&host = context.host, cluster = *cluster, statements]() -> Result<> {
        for (const std::string& statement : statements) {
            TRY(host.as_superuser(cluster, cluster.database, statement + ";\n").context(statement));
        }
        return {};
    };
    return step;
}

}  // namespace

std::vector<Step> archiving(Context& context) {
    std::vector<Step> steps;
    for (const WalConfig& wal : context.config.wal) steps.push_back(archive_of(context, wal));
    return steps;
}

}  // namespace backstay::setup
