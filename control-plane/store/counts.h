// How much there is, for metrics.
#pragma once

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

inline constexpr TimeMs kAgentAliveMs = 90'000;  // an agent heard of within this time is alive

struct RegistryCounts {
    std::int64_t organizations = 0;
    std::int64_t environments = 0;
    std::int64_t failing_destinations = 0;  // the last connection test failed
    std::int64_t agents = 0;
    std::int64_t live_agents = 0;
};

Result<RegistryCounts> count_registry(sql::Database& db, TimeMs now);

}  // namespace backstay::store
