#include "agent/adoption/leftovers.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <set>

#include "agent/postgres/cluster.h"
#include "common/pq/connection.h"

namespace backstay::adoption {
namespace {

constexpr std::int64_t kAskMs = 10'000;
constexpr std::size_t kLinesMax = 200;

Result<pq::Connection> ask(const ClusterConfig& cluster, const std::stop_token& stop) {
    pq::ConnectParameters parameters = connect_parameters(cluster, cluster.database);
    parameters.connect_timeout_ms = parameters.statement_timeout_ms = kAskMs;
    return pq::Connection::connect(parameters, stop);
}

// As a restore names what it makes and what it keeps: "shop__prev_1a2b3c4d".
struct SideName {
    std::string of;
    std::string what;
    std::string id_end;
};
std::optional<SideName> read_side_name(const std::string& name) {
    const std::size_t tail = name.rfind('_');
    const std::size_t mark = tail == std::string::npos ? tail : name.rfind("__", tail - 1);
    if (mark == std::string::npos || mark == 0 || mark + 2 > tail || name.size() - tail != 9) return std::nullopt;
    SideName side{name.substr(0, mark), name.substr(mark + 2, tail - mark - 2), name.substr(tail + 1)};
    const bool known = side.what == "prev" || side.what == "restore";
    if (!known || side.id_end.find_first_not_of("0123456789abcdef") != std::string::npos) return std::nullopt;
    return side;
}

std::string meaning(const SideName& side) {
    return side.what == "prev" ? fmt::format("what a restore of {} replaced and kept", side.of)
                               : fmt::format("what a restore of {} had not finished", side.of);
}

// Where filestores lie, as far as the configuration says it.
std::set<std::string> filestore_folders(const AgentConfig& config) {
    std::set<std::string> folders;
    for (const OdooConfig& odoo : config.odoo) {
        if (odoo.filestore.empty()) continue;
        folders.insert(odoo.database.empty() ? odoo.filestore : odoo.filestore.substr(0, odoo.filestore.rfind('/')));
    }
    return folders;
}

}  // namespace

std::vector<std::string> find_leftovers(const AgentConfig& config,
                                        const std::function<bool(const std::string& id_end)>& is_known,
                                        const std::stop_token& stop) {
    std::vector<std::string> lines;
    const auto take = [&](const std::string& name, const std::string& shown) {
        const auto side = read_side_name(name);
        if (side && !is_known(side->id_end) && lines.size() < kLinesMax) {
            lines.push_back(fmt::format("{}: {}", shown, meaning(*side)));
        }
    };
    for (const ClusterConfig& cluster : config.clusters) {
        auto connection = ask(cluster, stop);
        const auto rows = connection ? connection->query("SELECT datname FROM pg_database ORDER BY 1")
                                     : Result<pq::Rows>(connection.error());
        if (!rows)
            lines.push_back(fmt::format("cluster {} was not looked at: {}", cluster.name, rows.error().message()));
        for (std::size_t row = 0; rows && row < rows->size(); ++row) {
            const std::string name(rows->text(row, 0));
            take(name, fmt::format("database {} of cluster {}", name, cluster.name));
        }
    }
    for (const std::string& folder : filestore_folders(config)) {
        std::error_code ignored;
        for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
            take(entry.path().filename().string(), "folder " + entry.path().string());
        }
    }
    return lines;
}

std::map<std::string, std::string> clusters_by_system(const AgentConfig& config, const std::stop_token& stop) {
    std::map<std::string, std::string> found;
    for (const ClusterConfig& cluster : config.clusters) {
        auto connection = ask(cluster, stop);
        if (!connection) continue;
        // Not everybody may ask for it.
        const auto id = connection->query("SELECT system_identifier::text FROM pg_control_system()");
        if (id && !id->empty()) found[std::string(id->text(0, 0))] = cluster.name;
    }
    return found;
}

}  // namespace backstay::adoption
