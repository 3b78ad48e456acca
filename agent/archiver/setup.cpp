#include "agent/archiver/setup.h"

#include <fmt/format.h>
#include <unistd.h>

#include "agent/hook/wire.h"
#include "agent/postgres/cluster.h"
#include "common/pq/connection.h"

namespace backstay::archiver {
namespace {

constexpr std::int64_t kTimeoutMs = 10'000;

Result<pq::Connection> connect(const AgentConfig& config, const WalConfig& wal) {
    const ClusterConfig cluster = TRY(find_cluster(config, wal.cluster));
    pq::ConnectParameters parameters = connect_parameters(cluster, cluster.database);
    parameters.connect_timeout_ms = parameters.statement_timeout_ms = kTimeoutMs;
    return pq::Connection::connect(parameters);
}

Result<Settings> read_settings(pq::Connection& connection) {
    const auto rows = TRY(connection.query(kSettingsQuery));
    Settings settings;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        settings[std::string(rows.text(row, 0))] = {std::string(rows.text(row, 1)), rows.boolean(row, 2),
                                                    rows.boolean(row, 3)};
    }
    return settings;
}

}  // namespace

std::string own_hook() {
    char path[4096];
    const ssize_t count = ::readlink("/proc/self/exe", path, sizeof(path));
    std::string program(path, count > 0 ? static_cast<std::size_t>(count) : 0);
    return program.substr(0, program.rfind('/') + 1) + "backstay";
}

std::vector<SetupLine> compare_settings(const Settings& settings, const WalConfig& wal, const std::string& wal_socket,
                                        const std::string& hook) {
    std::string command = hook + " wal-push ";
    if (wal_socket != hook::kDefaultSocket) command += fmt::format("--socket {} ", wal_socket);
    command += "%p";
    std::vector<SetupLine> lines;
    const auto add = [&](const std::string& name, const std::string& wanted, const auto& is_good) {
        const auto found = settings.find(name);
        // archive_library came with version 15.
        if (found == settings.end()) return;
        const Setting& setting = found->second;
        const bool good = is_good(setting.value);
        lines.push_back({name, setting.value, good ? setting.value : wanted, good && !setting.pending,
                         setting.pending || (!good && setting.restart)});
    };
    const auto equals = [](const std::string& wanted) {
        return [wanted](const std::string& value) { return value == wanted; };
    };
    add("wal_level", "replica", [](const std::string& level) { return level == "replica" || level == "logical"; });
    add("archive_mode", "on", [](const std::string& mode) { return mode == "on" || mode == "always"; });
    add("archive_command", command, equals(command));
    add("archive_library", "", equals(""));
    const std::string timeout = fmt::format("{}", wal.archive_timeout_s);
    add("archive_timeout", timeout, equals(timeout));
    // A base backup needs one.
    add("max_wal_senders", "10", [](const std::string& senders) { return senders != "0"; });
    return lines;
}

std::vector<std::string> setup_statements(const std::vector<SetupLine>& lines) {
    std::vector<std::string> statements;
    for (const SetupLine& line : lines) {
        if (line.good || line.current == line.wanted) continue;
        statements.push_back(
            fmt::format("ALTER SYSTEM SET {} = {}", pq::quote_identifier(line.name), pq::quote_literal(line.wanted)));
    }
    return statements;
}

Result<std::vector<SetupLine>> plan_setup(const AgentConfig& config, const WalConfig& wal, const std::string& hook) {
    pq::Connection connection = TRY(connect(config, wal));
    const Settings settings = TRY(read_settings(connection));
    return compare_settings(settings, wal, config.wal_socket, hook);
}

Result<> apply_setup(const AgentConfig& config, const WalConfig& wal, const std::vector<SetupLine>& lines) {
    pq::Connection connection = TRY(connect(config, wal));
    for (const std::string& statement : setup_statements(lines)) TRY(connection.exec(statement).context(statement));
    TRY(connection.query("SELECT pg_reload_conf()"));
    return {};
}

}  // namespace backstay::archiver
