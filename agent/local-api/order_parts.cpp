#include "agent/local-api/order_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/layout.h"
#include "common/domain/reasons.h"

namespace backstay::local_api {
namespace {

constexpr std::int64_t kKeepPreviousMaxMs = 90LL * 24 * 3'600'000;

Result<std::string> pick_cluster(const AgentConfig& config, const std::optional<std::string>& named,
                                 const std::string& database) {
    if (named) {
        const bool known = std::any_of(config.clusters.begin(), config.clusters.end(),
                                       [&](const ClusterConfig& cluster) { return cluster.name == *named; });
        if (!known) return Error(Errc::invalid, fmt::format("there is no cluster \"{}\"", *named));
        return *named;
    }
    if (config.clusters.size() == 1) return config.clusters.front().name;
    for (const OdooConfig& odoo : config.odoo) {
        if (odoo.database == database) return odoo.cluster;
    }
    return Error(Errc::invalid, "there are several clusters: say which one");
}

}  // namespace

Result<EnvironmentOrder> environment(const Maker& maker, const std::string& database,
                                     const std::optional<std::string>& cluster) {
    // PostgreSQL's own limit; a slash would lead astray in folder names.
    if (database.empty() || database.size() > 63 || !is_folder_name(database)) {
        return Error(Errc::invalid, "database: must be 1 to 63 bytes without a slash, not '.' or '..'");
    }
    EnvironmentOrder order;
    order.organization_id = layout::kLocal;
    order.project_id = maker.agent_id;
    order.environment_id = database;
    order.name = database;
    order.type = "production";
    order.cluster = TRY(pick_cluster(maker.config, cluster, database));
    order.database = database;
    return order;
}

const DestinationOrder* find_destination(const AgentConfig& config, const std::string& id) {
    for (const DestinationOrder& destination : config.destinations) {
        if (destination.id == id) return &destination;
    }
    return nullptr;
}

Result<std::vector<DestinationOrder>> pick_destinations(const AgentConfig& config,
                                                        const std::optional<std::vector<std::string>>& ids) {
    std::vector<DestinationOrder> picked;
    if (!ids || ids->empty()) picked = config.destinations;
    if (ids) {
        for (const std::string& id : *ids) {
            const DestinationOrder* found = find_destination(config, id);
            if (found == nullptr) {
                return Error(Errc::invalid, fmt::format("there is no destination \"{}\"", id))
                    .with_hint("`backstay status` names those of the configuration");
            }
            picked.push_back(*found);
        }
    }
    if (picked.empty()) {
        return Error(Errc::invalid, "no destination is configured")
            .with_reason(reason::kNoDestination)
            .with_hint("add a [[destination]] to the agent's configuration");
    }
    return picked;
}

Result<Target> find_target(const TargetWish& wish, const EnvironmentOrder& source, const std::string& cluster,
                           const Maker& maker) {
    Target target{source, false};
    const std::string database = wish.database.value_or(source.database);
    target.same = database == source.database && (!wish.cluster || *wish.cluster == cluster);
    if (!target.same) {
        target.environment = TRY(environment(maker, database, wish.cluster ? wish.cluster : source.cluster));
        target.environment.type = "staging";
    }
    if (wish.filestore) {
        if (!wish.filestore->starts_with('/')) return Error(Errc::invalid, "filestore: must be an absolute path");
        target.environment.filestore = wish.filestore;
    }
    return target;
}

Result<> one_of(std::string_view name, const std::string& value, std::initializer_list<std::string_view> allowed) {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return {};
    std::string list;
    for (const std::string_view item : allowed) list += fmt::format("{}{}", list.empty() ? "" : ", ", item);
    return Error(Errc::invalid, fmt::format("{}: must be one of {}", name, list));
}

Result<std::int64_t> keep_previous(std::int64_t asked_ms) {
    if (asked_ms >= 0 && asked_ms <= kKeepPreviousMaxMs) return asked_ms;
    return Error(Errc::invalid, "keepPreviousMs: must be between 0 and 90 days");
}

std::vector<std::string> encrypted_for(const AgentConfig& config, const std::vector<DestinationOrder>& destinations) {
    const auto& encrypted = config.encrypted;
    const bool any = std::any_of(destinations.begin(), destinations.end(), [&](const auto& destination) {
        return std::find(encrypted.begin(), encrypted.end(), destination.id) != encrypted.end();
    });
    std::vector<std::string> ids;
    if (!any) return ids;
    for (const auto& destination : destinations) ids.push_back(destination.id);
    return ids;
}

}  // namespace backstay::local_api
