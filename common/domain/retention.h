// Grandfather-father-son retention (contract/semantics.md 5.2): which backups of one environment stay, by which tiers,
// and why the others go. Pure: the preview and the real prune ask the same function.
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/time/zone.h"

namespace backstay::retention {

enum class Tier { hourly, daily, weekly, monthly };
inline constexpr std::array<Tier, 4> kTiers = {Tier::hourly, Tier::daily, Tier::weekly, Tier::monthly};
std::string_view name_of(Tier tier);

// The numbers of a schedule, under the contract's names; absent ones inherit.
struct Numbers {
    std::optional<std::int64_t> retain_hourly;
    std::optional<std::int64_t> retain_daily;
    std::optional<std::int64_t> retain_weekly;
    std::optional<std::int64_t> retain_monthly;
    std::optional<std::int64_t> retain_hourly_days;
    std::optional<std::int64_t> retain_daily_days;
    std::optional<std::int64_t> retain_weekly_days;
    std::optional<std::int64_t> retain_monthly_days;
    std::optional<std::int64_t> retain_db_hourly;
    std::optional<std::int64_t> retain_db_daily;
    std::optional<std::int64_t> retain_db_weekly;
    std::optional<std::int64_t> retain_db_monthly;
    std::optional<std::int64_t> retain_full_hourly;
    std::optional<std::int64_t> retain_full_daily;
    std::optional<std::int64_t> retain_full_weekly;
    std::optional<std::int64_t> retain_full_monthly;
};
BOOST_DESCRIBE_STRUCT(Numbers, (),
                      (retain_hourly, retain_daily, retain_weekly, retain_monthly, retain_hourly_days,
                       retain_daily_days, retain_weekly_days, retain_monthly_days, retain_db_hourly, retain_db_daily,
                       retain_db_weekly, retain_db_monthly, retain_full_hourly, retain_full_daily, retain_full_weekly,
                       retain_full_monthly))

// Those of a schedule that says nothing about them. The general ones are the type db's; only full backups have no
// hourly tier of their own.
Numbers usual_numbers();

// What a schedule's `own` numbers come to where its organization sets others: its own, else the organization's, else
// the usual ones, tier by tier. Its own general number of a tier stands before the organization's for one type.
Numbers inherit(const Numbers& own, const Numbers& organization);

struct TierRule {
    std::int64_t count = 0;  // 0: the tier is off
    std::int64_t days = 0;   // the greatest age; 0: none
};
using TypeRules = std::array<TierRule, 4>;  // by Tier

struct Policy {
    TypeRules db;
    TypeRules full;
    Zone zone = Zone::utc();  // whose hours, days, weeks (from Monday) and months the buckets are
};

// Per type and tier: the type's own number, else the general one, else the default. `invalid` with reason
// "out_of_range" and the field's name as message, or "empty_retention" when a type would keep nothing at all.
Result<Policy> resolve(const Numbers& numbers, Zone zone);

struct Candidate {
    std::string id;
    std::string scope;   // db, full; others are kept
    std::string status;  // completed and partial can be restored; failed and cancelled are history
    TimeMs created_at = 0;
    bool held = false;  // made by hand, permanent, or in use: neither removed nor counted
};

struct Verdict {
    std::string id;
    bool keep = true;
    std::vector<Tier> tiers;  // those that keep it
    std::string reason;       // "code: text", also for what stays without a tier
};

// In the order of `candidates`. The newest of each type that can be restored stays whatever the policy says, and so
// does the newest complete one; so does what is dated after `now`. Days of age are counted back from `now`.
std::vector<Verdict> decide(const std::vector<Candidate>& candidates, const Policy& policy, TimeMs now);

}  // namespace backstay::retention
