#include "agent/local-api/check.h"

#include <fmt/format.h>

#include "agent/inventory/clusters.h"
#include "agent/inventory/inventory.h"
#include "agent/local-api/advice.h"
#include "agent/local-api/check_host.h"
#include "agent/local-api/spaces.h"
#include "common/crypto/secretstream.h"
#include "common/domain/reasons.h"
#include "common/files/files.h"
#include "common/human.h"
#include "storage/destination_json.h"

namespace backstay::local_api {
namespace {

struct Target {
    const ClusterConfig* cluster;
    std::string database;
};

// The databases to look at; what keeps a whole server from being looked at becomes a line.
std::vector<Target> targets(const AgentConfig& config, const std::string& wanted,
                            const std::optional<std::string>& cluster, const std::stop_token& stop, CheckList& list) {
    std::vector<Target> found;
    const control_plane::Inventory inventory = take_inventory(config, stop);
    for (std::size_t i = 0; i < inventory.clusters.size(); ++i) {
        const control_plane::ClusterInfo& info = inventory.clusters[i];
        if (cluster && *cluster != info.name) continue;
        list.about(fmt::format("cluster {}", info.name));
        if (info.problem) {
            list.fail(
                "connection", *info.problem,
                "is PostgreSQL running there? host, port, user and password_file of the [[cluster]] must agree with "
                "it and with pg_hba.conf");
            continue;
        }
        list.ok("connection", fmt::format("PostgreSQL {} at {}:{}, {} databases", info.server_version.value_or("?"),
                                          info.host, info.port, info.databases.size()));
        for (const control_plane::DatabaseInfo& database : info.databases) {
            const bool meant =
                wanted.empty() ? database.is_odoo || database.problem.has_value() : database.name == wanted;
            if (meant) found.push_back({&config.clusters[i], database.name});
        }
    }
    return found;
}

void check_key(const AgentConfig& config, CheckList& list) {
    if (config.encryption_key_file.empty()) return;
    list.about("encryption");
    const auto key = StreamKey::load(config.encryption_key_file);
    if (!key) {
        return list.fail("key", key.error().message(),
                         key.error().hint().empty() ? std::string(advice(reason::kEncryptionKeyMissing)) +
                                                          "; a first one is made by backstay key generate"
                                                    : key.error().hint());
    }
    list.ok("key", fmt::format("{} in {}", key->id(), config.encryption_key_file));
}

StorageContext storage_context(const AgentConfig& config, const std::stop_token& stop) {
    StorageContext context;
    context.local_roots = config.local_roots;
    context.stop = stop;
    context.scratch_dir = scratch_folder(config);
    context.patience = kBriefPatience;
    return context;
}

void check_destination(const AgentConfig& config, const DestinationOrder& order, const std::stop_token& stop,
                       CheckList& list) {
    list.about(fmt::format("destination {}", order.id));
    const auto destination = decode_destination(order);
    if (!destination) return list.fail("configuration", destination.error());
    auto storage = open_storage(*destination, storage_context(config, stop));
    if (!storage) return list.fail("open", storage.error().message(), destination_hint(storage.error()));
    if (const auto probed = probe_storage(**storage); !probed) {
        return list.fail("write and read", probed.error().message(), destination_hint(probed.error()));
    }
    list.ok("write and read", "a small object was written, read back and removed");
    const auto space = (*storage)->free_bytes();
    if (!space) return list.fail("free space", space.error());
    if (!*space) return;
    const std::uint64_t minimum = destination->local ? destination->local->min_free_bytes : 0;
    const std::string message = fmt::format("{} free, {} are kept free", human::size(**space), human::size(minimum));
    if (**space <= minimum) return list.fail("free space", message, "remove old backups, or choose another disk");
    list.ok("free space", message);
}

void check_state(const AgentConfig& config, CheckList& list) {
    list.about("agent");
    const auto space = free_space(config.state_dir);
    if (!space) return list.fail("state", space.error());
    const std::string message = fmt::format("{} free in {}", human::size(space->free_bytes), config.state_dir);
    if (space->free_bytes < Spaces::kStateLow)
        return list.warn("state", message, "the journal of jobs is written there");
    list.ok("state", message);
}

}  // namespace

CheckAnswer run_check(const AgentConfig& config, const std::string& database, const std::optional<std::string>& cluster,
                      const std::stop_token& stop) {
    CheckList list;
    check_state(config, list);
    check_host(config, list);
    check_key(config, list);
    const std::vector<Target> found = targets(config, database, cluster, stop, list);
    if (found.empty() && !database.empty()) {
        list.about(fmt::format("database {}", database));
        list.fail("connection", "no reachable cluster has this database",
                  "is its name right? backstay inventory lists what is there");
    }
    for (const Target& target : found) check_database(config, *target.cluster, target.database, stop, list);
    check_wal(config, stop, list);
    if (config.destinations.empty()) {
        list.about("destinations");
        list.warn("configuration", "none is configured: only the control plane can order backups",
                  "add a [[destination]] to the agent's configuration");
    }
    for (const DestinationOrder& destination : config.destinations) check_destination(config, destination, stop, list);
    return CheckAnswer{list.take()};
}

CheckAnswer check_alone(AgentConfig config, const std::string& database) {
    complete_clusters(config);
    return run_check(config, database, std::nullopt, {});
}

}  // namespace backstay::local_api
