#include "agent/archiver/setup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>

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

struct Setting {
    std::string value;
    bool restart = false;
    bool pending = false;
};

Result<std::map<std::string, Setting>> read_settings(pq::Connection& connection) {
    const auto rows = TRY(connection.query(
        "SELECT name, setting, context = 'postmaster', pending_restart FROM pg_settings WHERE name IN "
        "('wal_level', 'archive_mode', 'archive_command', 'archive_library', 'archive_timeout', 'max_wal_senders')"));
    std::map<std::string, Setting> settings;
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

Result<std::vector<SetupLine>> plan_setup(const AgentConfig& config, const WalConfig& wal, const std::string& hook) {
    pq::Connection connection = TRY(connect(config, wal));
    auto settings = TRY(read_settings(connection));
    std::string command = hook + " wal-push ";
    if (config.wal_socket != hook::kDefaultSocket) command += fmt::format("--socket {} ", config.wal_socket);
    command += "%p";
    std::vector<SetupLine> lines;
    const auto add = [&](const std::string& name, const std::string& wanted, bool good) {
        const auto found = settings.find(name);
        // archive_library came with version 15.
        if (found == settings.end()) return;
        const Setting& setting = found->second;
        lines.push_back({name, setting.value, good ? setting.value : wanted, good && !setting.pending,
                         setting.pending || (!good && setting.restart)});
    };
    const std::string level = settings["wal_level"].value;
    add("wal_level", "replica", level == "replica" || level == "logical");
    const std::string mode = settings["archive_mode"].value;
    add("archive_mode", "on", mode == "on" || mode == "always");
    add("archive_command", command, settings["archive_command"].value == command);
    add("archive_library", "", settings["archive_library"].value.empty());
    const std::string timeout = fmt::format("{}", wal.archive_timeout_s);
    add("archive_timeout", timeout, settings["archive_timeout"].value == timeout);
    // A base backup needs one.
    add("max_wal_senders", "10", settings["max_wal_senders"].value != "0");
    return lines;
}

Result<> apply_setup(const AgentConfig& config, const WalConfig& wal, const std::vector<SetupLine>& lines) {
    pq::Connection connection = TRY(connect(config, wal));
    for (const SetupLine& line : lines) {
        if (line.good || line.current == line.wanted) continue;
        TRY(connection
                .exec(fmt::format("ALTER SYSTEM SET {} = {}", pq::quote_identifier(line.name),
                                  pq::quote_literal(line.wanted)))
                .context("set " + line.name));
    }
    TRY(connection.query("SELECT pg_reload_conf()"));
    return {};
}

}  // namespace backstay::archiver
