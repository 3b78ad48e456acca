// What the makers of orders share.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/local-api/orders.h"

namespace backstay::local_api {

// The environment that a database of this host is, seen from its own socket.
Result<EnvironmentOrder> environment(const Maker& maker, const std::string& database,
                                     const std::optional<std::string>& cluster);
// nullptr: the configuration has none of that id.
const DestinationOrder* find_destination(const AgentConfig& config, const std::string& id);
// Those named, else all of the configuration; none at all is invalid.
Result<std::vector<DestinationOrder>> pick_destinations(const AgentConfig& config,
                                                        const std::optional<std::vector<std::string>>& ids);
// Where a request wants an environment's content to go; all absent: where it came from.
struct TargetWish {
    const std::optional<std::string>& database;
    const std::optional<std::string>& cluster;
    const std::optional<std::string>& filestore;
};
struct Target {
    EnvironmentOrder environment;
    bool same = false;
    std::string type() const { return same ? "same" : "other"; }
};
// `cluster`: the one that the source lies in. Another database counts as staging.
Result<Target> find_target(const TargetWish& wish, const EnvironmentOrder& source, const std::string& cluster,
                           const Maker& maker);
Result<> one_of(std::string_view name, const std::string& value, std::initializer_list<std::string_view> allowed);
Result<std::int64_t> keep_previous(std::int64_t asked_ms);
// All artifacts are alike: one destination that wants them encrypted decides for all, which are answered then.
std::vector<std::string> encrypted_for(const AgentConfig& config, const std::vector<DestinationOrder>& destinations);

}  // namespace backstay::local_api
