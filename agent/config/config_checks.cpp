#include "agent/config/config_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/files/files.h"
#include "storage/destination_json.h"

namespace backstay::config {
namespace {

constexpr std::size_t kNameMax = 64;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kNameMax && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_' || c == '.';
           });
}

// Members of a destination's configuration that are secrets: they may only come from files.
bool is_secret(std::string_view key) {
    return key == "secret_access_key" || key == "session_token" || key == "password" || key == "private_key" ||
           key == "private_key_passphrase" || key == "passphrase";
}

json::Value json_of(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value.held)) return json::Value(*flag);
    if (const auto* number = std::get_if<std::int64_t>(&value.held)) {
        return *number >= 0 ? json::Value(static_cast<std::uint64_t>(*number)) : json::Value(*number);
    }
    if (const auto* real = std::get_if<double>(&value.held)) return json::Value(*real);
    if (const auto* text = std::get_if<std::string>(&value.held)) return json::Value(json::encode(*text));
    if (const auto* list = std::get_if<std::vector<std::string>>(&value.held)) return json::encode(*list);
    return json::Value(nullptr);
}

// "secret_access_key_file" → the file's content under "secretAccessKey".
void read_from_file(Section& section, const std::string& key, const Value& value, json::Object& config) {
    const std::string member = key.substr(0, key.size() - std::string_view("_file").size());
    const auto* path = std::get_if<std::string>(&value.held);
    if (path == nullptr || !path->starts_with('/')) {
        return section.fault(key, "must be the absolute path of a file", value.line);
    }
    auto content = is_secret(member) ? read_secret_file(*path) : read_file(*path, 1 << 20);
    if (!content) return section.fault(key, content.error().message(), value.line);
    config[json::camel_case(member)] = json::encode(*content);
}

json::Object read_config(Section& section) {
    json::Object config;
    for (const auto& [key, value] : section.take_rest()) {
        if (key.ends_with("_file")) {
            read_from_file(section, key, value, config);
        } else if (is_secret(key)) {
            section.fault(key, fmt::format("secrets do not belong here; name a file with {}_file", key), value.line);
        } else {
            config[json::camel_case(key)] = json_of(value);
        }
    }
    return config;
}

// What names an entry of a list must be its own: `member` of those that were read before it.
template <class Entry>
void check_free(Section& section, const char* key, const std::string& value, const std::vector<Entry>& others,
                std::string Entry::*member, const char* table) {
    const bool taken =
        std::any_of(others.begin(), others.end(), [&](const Entry& other) { return other.*member == value; });
    if (taken) section.fault(key, fmt::format("\"{}\" is taken by another [[{}]]", value, table));
}

}  // namespace

void read_top(Section& section, AgentConfig& config) {
    section.read_path("state_dir", config.state_dir);
    section.read_path("socket", config.socket);
    section.read("socket_group", config.socket_group);
    section.read_path("wal_socket", config.wal_socket);
    section.read("wal_group", config.wal_group);
    section.read("metrics_port", config.metrics_port, 0);
    section.read_path("scratch_dir", config.scratch_dir);
    section.read_path("snapshot_dir", config.snapshot_dir);
    section.read("snapshot_keep_days", config.snapshot_keep_days, 1, 365);
    section.read_path("encryption_key_file", config.encryption_key_file);
    section.read("local_roots", config.local_roots);
    for (const std::string& root : config.local_roots) {
        if (!root.starts_with('/')) section.fault("local_roots", fmt::format("{} is no absolute path", root));
    }
    if (config.state_dir.empty()) section.fault("state_dir", "must not be empty");
    if (config.socket.empty()) section.fault("socket", "must not be empty");
    if (config.socket.size() > 107)
        section.fault("socket", "is longer than the 107 bytes that a socket's path may have");
    if (config.wal_socket.empty() || config.wal_socket.size() > 107 || config.wal_socket == config.socket)
        section.fault("wal_socket", "must be a path of its own, of at most 107 bytes");
    section.refuse_rest();
}

bool is_control_plane_url(std::string_view url) {
    const std::size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
    return scheme != 0 && scheme < url.size() && url.find_first_of("?#@ ") == std::string_view::npos;
}

void read_control_plane(Section& section, AgentConfig& config) {
    section.read("url", config.control_plane_url);
    section.read_path("ca_file", config.control_plane_ca_file);
    section.read("away_after_s", config.control_plane_away_after_s, 5, 86'400);
    if (!config.control_plane_url.empty() && !is_control_plane_url(config.control_plane_url)) {
        section.fault("url", "must be http://HOST[:PORT] or https://HOST[:PORT]");
    }
    section.refuse_rest();
}

void read_limits(Section& section, Limits& limits) {
    section.read("concurrent_jobs", limits.concurrent_jobs, 1, 16);
    section.read("rate_bytes_per_sec", limits.rate_bytes_per_sec);
    section.read("zstd_level", limits.zstd_level, 1, 19);
    section.read("compression_threads", limits.compression_threads, 1, 64);
    section.read("dump_jobs", limits.dump_jobs, 1, 64);
    section.read("parallel_dump_bytes", limits.parallel_dump_bytes);
    section.read("restore_jobs", limits.restore_jobs, 1, 64);
    section.read("nice", limits.nice, 0, 19);
    section.read("idle_io", limits.idle_io);
    section.refuse_rest();
}

void read_cluster(Section& section, AgentConfig& config) {
    ClusterConfig cluster;
    section.read("name", cluster.name);
    section.read("host", cluster.host);
    section.read("port", cluster.port);
    section.read("user", cluster.user);
    section.read("database", cluster.database);
    section.read_path("password_file", cluster.password_file);
    section.read_path("bin_dir", cluster.bin_dir);
    section.refuse_rest();
    if (!is_name(cluster.name)) section.fault("name", "must be 1 to 64 letters, digits, '-', '_' or '.'");
    for (const auto& [key, value] : {std::pair("host", &cluster.host), std::pair("database", &cluster.database)}) {
        if (value->find("://") != std::string::npos || value->find("password=") != std::string::npos)
            section.fault(key, "must be a name, no connection string: a password belongs into password_file");
    }
    check_free(section, "name", cluster.name, config.clusters, &ClusterConfig::name, "cluster");
    config.clusters.push_back(std::move(cluster));
}

void read_odoo(Section& section, AgentConfig& config) {
    OdooConfig odoo;
    section.read("cluster", odoo.cluster);
    section.read("database", odoo.database);
    section.read_path("filestore", odoo.filestore);
    section.read_path("odoo_conf", odoo.odoo_conf);
    section.read("addons_paths", odoo.addons_paths);
    section.read("start_command", odoo.start_command);
    section.read("stop_command", odoo.stop_command);
    section.read("health_url", odoo.health_url);
    if (odoo.health_url.find('@') != std::string::npos)
        section.fault("health_url", "must hold no user or password: it is shown");
    section.read("owner", odoo.owner);
    section.read("neutralize_sql", odoo.neutralize_sql);
    section.refuse_rest();
    if (odoo.start_command.empty() != odoo.stop_command.empty()) {
        section.fault("start_command", "goes together with stop_command");
    }
    for (const std::vector<std::string>* command : {&odoo.start_command, &odoo.stop_command}) {
        if (!command->empty() && !command->front().starts_with('/')) {
            section.fault(command == &odoo.start_command ? "start_command" : "stop_command",
                          "must begin with the absolute path of a program");
        }
    }
    config.odoo.push_back(std::move(odoo));
}

void read_destination(Section& section, AgentConfig& config) {
    DestinationOrder destination;
    bool encrypt = false;
    section.read("id", destination.id);
    section.read("name", destination.name);
    section.read("type", destination.type);
    section.read("encrypt", encrypt);
    if (!is_name(destination.id)) section.fault("id", "must be 1 to 64 letters, digits, '-', '_' or '.'");
    if (destination.name.empty()) destination.name = destination.id;
    destination.config = read_config(section);
    json::Faults faults;
    if (const auto read = decode_destination(destination, &faults); !read) {
        if (faults.empty()) section.fault("type", read.error().message());
        for (const json::Fault& fault : faults) section.fault(fault.field, fault.message);
    }
    check_free(section, "id", destination.id, config.destinations, &DestinationOrder::id, "destination");
    if (encrypt) config.encrypted.push_back(destination.id);
    config.destinations.push_back(std::move(destination));
}

void read_wal(Section& section, AgentConfig& config) {
    WalConfig wal;
    section.read("cluster", wal.cluster);
    section.read("destinations", wal.destinations);
    section.read("ack", wal.ack);
    section.read("on_overflow", wal.on_overflow);
    section.read("overflow_bytes", wal.overflow_bytes);
    section.read("spool_max_bytes", wal.spool_max_bytes);
    section.read("retention_days", wal.retention_days, 1, 36'500);
    section.read("base_every_days", wal.base_every_days, 1, 365);
    section.read("archive_timeout_s", wal.archive_timeout_s, 1, 86'400);
    section.read("zstd_level", wal.zstd_level, 1, 19);
    section.refuse_rest();
    if (wal.ack != "remote" && wal.ack != "spool") section.fault("ack", "must be \"remote\" or \"spool\"");
    if (wal.on_overflow != "stall" && wal.on_overflow != "drop") {
        section.fault("on_overflow", "must be \"stall\" or \"drop\"");
    }
    if (wal.on_overflow == "drop" && wal.overflow_bytes == 0) {
        section.fault("overflow_bytes", "must say from how much waiting WAL on it is dropped");
    }
    if (find_wal(config, wal.cluster) != nullptr) {
        section.fault("cluster", fmt::format("\"{}\" has a [[wal]] already", wal.cluster));
    }
    config.wal.push_back(std::move(wal));
}

namespace {

void check_wal(const AgentConfig& config, const WalConfig& wal, Faults& faults) {
    const auto fault = [&](std::string text) { faults.push_back({0, "[[wal]] " + std::move(text)}); };
    const bool known =
        config.clusters.empty() || std::any_of(config.clusters.begin(), config.clusters.end(),
                                               [&](const ClusterConfig& one) { return one.name == wal.cluster; });
    if (!known) fault(fmt::format("cluster: there is no [[cluster]] \"{}\"", wal.cluster));
    for (const std::string& name : wal.destinations) {
        const bool there = std::any_of(config.destinations.begin(), config.destinations.end(),
                                       [&](const DestinationOrder& one) { return one.id == name || one.name == name; });
        if (!there) fault(fmt::format("destinations: there is no [[destination]] \"{}\"", name));
    }
    if (config.destinations.empty()) fault("destinations: there is no [[destination]]");
}

}  // namespace

void check_whole(const AgentConfig& config, Faults& faults) {
    for (const WalConfig& wal : config.wal) check_wal(config, wal, faults);
    for (const OdooConfig& odoo : config.odoo) {
        const bool known = config.clusters.empty() ||
                           std::any_of(config.clusters.begin(), config.clusters.end(),
                                       [&](const ClusterConfig& cluster) { return cluster.name == odoo.cluster; });
        if (!known)
            faults.push_back({0, fmt::format("[[odoo]] cluster: there is no [[cluster]] \"{}\"", odoo.cluster)});
    }
    if (!config.encrypted.empty() && config.encryption_key_file.empty()) {
        faults.push_back({0, fmt::format("[[destination]] encrypt: \"{}\" needs encryption_key_file (make one with "
                                         "`backstay key generate`)",
                                         config.encrypted.front())});
    }
}

}  // namespace backstay::config
