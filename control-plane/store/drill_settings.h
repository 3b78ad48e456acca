// How often an environment's newest backup is restored on trial.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "control-plane/store/store.h"

namespace backstay::store {

struct DrillSettings {
    std::string environment_id;
    std::string organization_id;
    std::int64_t every_days = 0;    // 0: never by itself
    std::optional<TimeMs> next_at;  // in the past while it waits for its agent
    TimeMs updated_at = 0;
};

class DrillSettingsOf {
public:
    explicit DrillSettingsOf(sql::Database& db) : db_(db) {}

    Result<std::optional<DrillSettings>> find(std::string_view environment);
    Result<> put(const DrillSettings& settings);
    Result<> set_next(std::string_view environment, TimeMs at);
    // Of environments that exist; the longest due first.
    Result<std::vector<DrillSettings>> due(TimeMs now);
    // Those that drill at all.
    Result<std::vector<DrillSettings>> active();

private:
    sql::Database& db_;
};

}  // namespace backstay::store
