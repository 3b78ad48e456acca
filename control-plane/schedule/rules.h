// What a schedule may say (contract/semantics.md 5.2): pure functions that refuse with the contract's code and the
// field's name, as api::rule_broken does.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "control-plane/store/schedules.h"

namespace backstay::schedule {

struct Preset {
    std::string_view frequency;  // empty: only as a cron of one's own
    std::string_view cron;
    std::string_view label;
};
inline constexpr std::array<Preset, 7> kPresets = {{
    {"hourly", "0 * * * *", "Every hour"},
    {"every_6_hours", "0 */6 * * *", "Every 6 hours"},
    {"every_12_hours", "0 */12 * * *", "Every 12 hours"},
    {"daily", "0 2 * * *", "Every day at 02:00"},
    {"weekly", "0 2 * * 0", "Every Sunday at 02:00"},
    {"monthly", "0 2 1 * *", "On the first of the month at 02:00"},
    {"", "*/15 * * * *", "Every 15 minutes (heavy)"},
}};

inline constexpr int kShortestGapMinutes = 15;

// The cron of a named frequency; its minute is the environment's own, so that not everybody dumps at 02:00.
std::string spread_cron(std::string_view frequency, std::string_view environment_id);

// What a request says of one type's cadence.
struct CadenceWish {
    std::optional<std::string> frequency;
    std::optional<std::string> cron;
};
// `prefix` is "db" or "full", as in dbCron. A cron without a frequency is a custom one. Errors: invalid_frequency,
// invalid_cron, cron_too_frequent. `next` stays as it was.
Result<store::Cadence> take_cadence(std::string_view prefix, const CadenceWish& wish, const store::Cadence& stored,
                                    std::string_view environment_id);

// invalid_timezone
Result<> check_time_zone(const std::string& name);
// out_of_range, empty_retention; for these numbers as the schedule would keep them.
Result<> check_retention(const retention::Numbers& numbers);
// out_of_range
Result<> check_wal_days(std::int64_t days);

// Both `next`, reckoned from now, where what they depend on changed; `before` is what was stored.
Result<> reckon_next(store::Schedule& schedule, const std::optional<store::Schedule>& before, TimeMs now);

// What GET shows: the next moment that lies ahead, also while an earlier one waits for its agent.
std::optional<TimeMs> shown_next(const store::Schedule& schedule, const store::Cadence& cadence, TimeMs now);

}  // namespace backstay::schedule
