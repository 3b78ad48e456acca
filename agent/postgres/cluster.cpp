#include "agent/postgres/cluster.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <vector>

#include "common/domain/reasons.h"

namespace backstay {
namespace {

constexpr std::string_view kDebianRoot = "/usr/lib/postgresql";

struct CloseFolder {
    void operator()(DIR* folder) const { closedir(folder); }
};

std::vector<int> installed_majors() {
    std::vector<int> majors;
    const std::unique_ptr<DIR, CloseFolder> folder(opendir(std::string(kDebianRoot).c_str()));
    while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
        const std::string_view name = entry->d_name;
        int major = 0;
        const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), major);
        if (fault == std::errc() && end == name.data() + name.size()) majors.push_back(major);
    }
    std::sort(majors.begin(), majors.end());
    return majors;
}

std::vector<std::string> candidates(const ClusterConfig& cluster, std::string_view name, int server_major) {
    if (!cluster.bin_dir.empty()) return {fmt::format("{}/{}", cluster.bin_dir, name)};
    std::vector<std::string> paths;
    for (const int major : installed_majors()) {
        const std::string path = fmt::format("{}/{}/bin/{}", kDebianRoot, major, name);
        if (major >= server_major && access(path.c_str(), X_OK) == 0) paths.push_back(path);
    }
    paths.emplace_back(name);
    return paths;
}

// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
std::string version_of(std::string_view line) {
    const std::size_t bracket = line.find(") ");
    if (bracket == std::string_view::npos) return {};
    line.remove_prefix(bracket + 2);
    return std::string(line.substr(0, line.find_first_of(" \n")));
}

}  // namespace

Result<ClusterConfig> find_cluster(const AgentConfig& config, const std::optional<std::string>& name) {
    for (const ClusterConfig& cluster : config.clusters) {
        if (!name || name->empty() || cluster.name == *name) return cluster;
    }
    return Error(Errc::not_found, fmt::format("this host's configuration has no cluster '{}'", name.value_or("main")))
        .with_reason(reason::kDbUnreachable);
}

const OdooConfig* find_odoo(const AgentConfig& config, const std::string& cluster, const std::string& database) {
    const OdooConfig* general = nullptr;
    for (const OdooConfig& odoo : config.odoo) {
        if (odoo.cluster != cluster) continue;
        if (odoo.database == database) return &odoo;
        if (odoo.database.empty() && general == nullptr) general = &odoo;
    }
    return general;
}

pq::ConnectParameters connect_parameters(const ClusterConfig& cluster, const std::string& database) {
    pq::ConnectParameters parameters;
    parameters.host = cluster.host;
    parameters.port = cluster.port;
    parameters.user = cluster.user;
    parameters.database = database;
    parameters.password_file = cluster.password_file;
    return parameters;
}

Result<Tool> find_tool(const ClusterConfig& cluster, std::string_view name, std::int32_t server_version_num) {
    const int server_major = server_version_num / 10'000;
    std::string seen;
    for (const std::string& path : candidates(cluster, name, server_major)) {
        ProcessSpec spec;
        spec.argv = {path, "--version"};
        auto answer = run_tool(std::move(spec), 10'000);
        if (!answer) {
            seen = answer.error().message();
            continue;
        }
        Tool tool{path, version_of(*answer), 0};
        std::from_chars(tool.version.data(), tool.version.data() + tool.version.size(), tool.major);
        if (tool.major >= server_major) return tool;
        seen = fmt::format("{} is version {}", path, tool.version);
    }
    return Error(Errc::not_found, fmt::format("no {} for a server of version {} ({})", name, server_major, seen))
        .with_reason(reason::kPgToolTooOld)
        .with_hint(fmt::format("install postgresql-client-{}", server_major));
}

std::map<std::string, std::string> tool_environment(const ClusterConfig& cluster) {
    std::map<std::string, std::string> variables = {
        {"PGHOST", cluster.host},    {"PGPORT", std::to_string(cluster.port)},
        {"PGUSER", cluster.user},    {"PGAPPNAME", "backstay"},
        {"PGCONNECT_TIMEOUT", "10"}, {"PGCLIENTENCODING", "UTF8"}};
    if (!cluster.password_file.empty()) variables["PGPASSFILE"] = cluster.password_file;
    return variables;
}

}  // namespace backstay
