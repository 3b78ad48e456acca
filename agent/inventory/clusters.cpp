#include "agent/inventory/clusters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "common/files/files.h"

namespace backstay {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kConfMax = 1 << 20;

std::string trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
    return std::string(text);
}

// The last "key = value" of a postgresql.conf wins; quotes and comments are taken off.
std::optional<std::string> setting(std::string_view conf, std::string_view wanted) {
    std::optional<std::string> found;
    while (!conf.empty()) {
        std::string_view line = conf.substr(0, conf.find('\n'));
        conf.remove_prefix(std::min(conf.size(), line.size() + 1));
        line = line.substr(0, line.find('#'));
        const std::size_t split = line.find_first_of("= \t", line.find_first_not_of(" \t"));
        if (split == std::string_view::npos || trimmed(line.substr(0, split)) != wanted) continue;
        std::string value = trimmed(line.substr(split));
        if (value.starts_with('=')) value = trimmed(std::string_view(value).substr(1));
        if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'')
            value = value.substr(1, value.size() - 2);
        found = value;
    }
    return found;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (fault != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<ClusterConfig> debian_cluster(const fs::path& folder, const std::string& version) {
    const auto conf = read_file((folder / "postgresql.conf").string(), kConfMax);
    if (!conf) return std::nullopt;
    ClusterConfig cluster;
    cluster.name = version + "-" + folder.filename().string();
    const auto port = port_of(setting(*conf, "port").value_or("5432"));
    if (!port) return std::nullopt;
    cluster.port = *port;
    const std::string sockets = setting(*conf, "unix_socket_directories").value_or("");
    const std::string first = trimmed(std::string_view(sockets).substr(0, sockets.find(',')));
    if (first.starts_with('/')) cluster.host = first;
    return cluster;
}

void add(std::vector<ClusterConfig>& clusters, ClusterConfig cluster) {
    const bool known = std::any_of(clusters.begin(), clusters.end(), [&](const ClusterConfig& other) {
        return other.host == cluster.host && other.port == cluster.port;
    });
    if (!known) clusters.push_back(std::move(cluster));
}

}  // namespace

std::vector<ClusterConfig> find_clusters(const ClusterPlaces& places) {
    std::vector<ClusterConfig> clusters;
    std::error_code ignored;
    for (const fs::directory_entry& version : fs::directory_iterator(places.debian, ignored)) {
        for (const fs::directory_entry& folder : fs::directory_iterator(version.path(), ignored)) {
            if (auto cluster = debian_cluster(folder.path(), version.path().filename().string())) {
                add(clusters, std::move(*cluster));
            }
        }
    }
    constexpr std::string_view kSocket = ".s.PGSQL.";
    for (const fs::directory_entry& entry : fs::directory_iterator(places.sockets, ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(kSocket)) continue;
        const auto port = port_of(std::string_view(name).substr(kSocket.size()));
        if (!port) continue;
        ClusterConfig cluster;
        cluster.name = fmt::format("port-{}", *port);
        cluster.host = places.sockets;
        cluster.port = *port;
        add(clusters, std::move(cluster));
    }
    std::sort(clusters.begin(), clusters.end(),
              [](const ClusterConfig& a, const ClusterConfig& b) { return a.port < b.port; });
    return clusters;
}

void complete_clusters(AgentConfig& config, const ClusterPlaces& places) {
    if (!config.clusters.empty()) return;
    config.clusters = find_clusters(places);
    if (config.clusters.empty()) config.clusters.emplace_back();
    const std::string first = config.clusters.front().name;
    for (OdooConfig& odoo : config.odoo) {
        const bool known = std::any_of(config.clusters.begin(), config.clusters.end(),
                                       [&](const ClusterConfig& cluster) { return cluster.name == odoo.cluster; });
        if (!known) odoo.cluster = first;
    }
}

}  // namespace backstay
