#include "common/domain/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace backstay::retention {
namespace {

constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
constexpr TimeMs kHistoryMs = 30 * kDayMs;  // rows of what failed
constexpr std::int64_t kNumberMost = 1000;
constexpr std::int64_t kDaysMost = 36'500;
constexpr std::array<std::int64_t, 4> kUsualDb = {24, 7, 4, 3};
constexpr std::array<std::int64_t, 4> kUsualFull = {0, 7, 4, 3};

std::size_t index(Tier tier) { return static_cast<std::size_t>(tier); }

bool restorable(const Candidate& candidate) { return candidate.status == "completed" || candidate.status == "partial"; }

// A number that rises from bucket to bucket and is equal within one.
long bucket_of(Tier tier, const LocalMinute& local) {
    constexpr long kMondayFirst = 3;  // 1 January 1970 was a Thursday
    switch (tier) {
        case Tier::hourly:
            return local.day.since_1970() * 24 + local.hour;
        case Tier::daily:
            return local.day.since_1970();
        case Tier::weekly:
            return (local.day.since_1970() + kMondayFirst) / 7;
        case Tier::monthly:
            return local.day.year * 12L + local.day.month;
    }
    return 0;
}

// Newest first, what is complete before what is partial: the first of a bucket stands for it.
struct Entry {
    std::size_t number;  // among the candidates
    TimeMs created_at;
    LocalMinute local;
    bool complete;
};

struct Standing {
    bool winner = false;
    bool within_count = false;
    bool within_age = false;
};
using Standings = std::array<Standing, 4>;

// Ranks the buckets of one tier from the newest back.
void rank(Tier tier, const TierRule& rule, TimeMs now, const std::vector<Entry>& entries,
          std::vector<Standings>& standings) {
    std::map<long, const Entry*, std::greater<>> buckets;
    for (const Entry& entry : entries) {
        const Entry*& best = buckets[bucket_of(tier, entry.local)];
        if (best == nullptr || (entry.complete && !best->complete)) best = &entry;
    }
    std::int64_t number = 0;
    for (const auto& [bucket, entry] : buckets) {
        Standing& standing = standings[entry->number][index(tier)];
        standing.winner = true;
        standing.within_count = ++number <= rule.count;
        standing.within_age = rule.days == 0 || now - entry->created_at <= rule.days * kDayMs;
    }
}

// The nearest miss explains best.
std::string why_not(const Standings& standings, const TypeRules& rules) {
    for (const Tier tier : kTiers) {
        const Standing& standing = standings[index(tier)];
        const TierRule& rule = rules[index(tier)];
        if (rule.count == 0 || !standing.winner || !standing.within_count) continue;
        return fmt::format("tier_age_exceeded: older than the {} days that the {} tier keeps", rule.days,
                           name_of(tier));
    }
    for (const Tier tier : kTiers) {
        const TierRule& rule = rules[index(tier)];
        if (rule.count == 0 || !standings[index(tier)].winner) continue;
        return fmt::format("tier_count_exceeded: the {} tier keeps {}, newer ones fill it", name_of(tier), rule.count);
    }
    for (const Tier tier : kTiers) {
        if (rules[index(tier)].count == 0) continue;
        return fmt::format("superseded_in_bucket: a newer backup stands for its place in the {} tier", name_of(tier));
    }
    return "tier_disabled: every tier of this type is off";
}

void judge_type(std::string_view scope, const TypeRules& rules, const std::vector<Candidate>& candidates,
                const Policy& policy, TimeMs now, std::vector<Verdict>& verdicts) {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const Candidate& c = candidates[i];
        if (c.scope != scope || c.held || !restorable(c) || c.created_at > now) continue;
        entries.push_back({i, c.created_at, policy.zone.local(c.created_at), c.status == "completed"});
    }
    std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
        if (a.created_at != b.created_at) return a.created_at > b.created_at;
        return candidates[a.number].id > candidates[b.number].id;
    });
    std::vector<Standings> standings(candidates.size());
    for (const Tier tier : kTiers) {
        if (rules[index(tier)].count > 0) rank(tier, rules[index(tier)], now, entries, standings);
    }
    const auto complete = std::find_if(entries.begin(), entries.end(), [](const Entry& e) { return e.complete; });
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
        Verdict& verdict = verdicts[entry->number];
        for (const Tier tier : kTiers) {
            const Standing& standing = standings[entry->number][index(tier)];
            if (standing.winner && standing.within_count && standing.within_age) verdict.tiers.push_back(tier);
        }
        const bool last_good = entry == complete || entry == entries.begin();
        verdict.keep = !verdict.tiers.empty() || last_good;
        if (!verdict.tiers.empty()) continue;
        verdict.reason = last_good ? "last_good: the newest that can be restored always stays"
                                   : why_not(standings[entry->number], rules);
    }
}

Verdict without_tiers(const Candidate& candidate, TimeMs now) {
    if (candidate.held) return {candidate.id, true, {}, "held: made by hand, permanent, or in use"};
    if (candidate.created_at > now) return {candidate.id, true, {}, "future: dated after now"};
    const bool ended_badly = candidate.status == "failed" || candidate.status == "cancelled";
    if (ended_badly && now - candidate.created_at > kHistoryMs) {
        return {candidate.id, false, {}, "not_in_any_tier: it failed more than 30 days ago"};
    }
    if (restorable(candidate)) return {candidate.id, true, {}, "other: retention does not decide over this type"};
    return {candidate.id, true, {}, "history: " + candidate.status};
}

struct TierNumbers {
    std::string_view name;
    const std::optional<std::int64_t>& general;
    const std::optional<std::int64_t>& days;
    const std::optional<std::int64_t>& db;
    const std::optional<std::int64_t>& full;
};

Result<std::int64_t> number(const std::optional<std::int64_t>& value, std::int64_t usual, std::int64_t most,
                            std::string field) {
    const std::int64_t found = value.value_or(usual);
    if (found >= 0 && found <= most) return found;
    return Error(Errc::invalid, std::move(field)).with_reason("out_of_range");
}

bool keeps_nothing(const TypeRules& rules) {
    return std::all_of(rules.begin(), rules.end(), [](const TierRule& rule) { return rule.count == 0; });
}

}  // namespace

std::string_view name_of(Tier tier) {
    switch (tier) {
        case Tier::hourly:
            return "hourly";
        case Tier::daily:
            return "daily";
        case Tier::weekly:
            return "weekly";
        case Tier::monthly:
            return "monthly";
    }
    return "";
}

Numbers usual_numbers() {
    Numbers numbers;
    numbers.retain_hourly = kUsualDb[index(Tier::hourly)];
    numbers.retain_daily = kUsualDb[index(Tier::daily)];
    numbers.retain_weekly = kUsualDb[index(Tier::weekly)];
    numbers.retain_monthly = kUsualDb[index(Tier::monthly)];
    numbers.retain_full_hourly = kUsualFull[index(Tier::hourly)];
    return numbers;
}

namespace {

using Number = std::optional<std::int64_t>;

// One tier's four members.
struct TierMembers {
    Number Numbers::*general;
    Number Numbers::*days;
    Number Numbers::*db;
    Number Numbers::*full;
};
constexpr std::array<TierMembers, 4> kTierMembers = {{
    {&Numbers::retain_hourly, &Numbers::retain_hourly_days, &Numbers::retain_db_hourly, &Numbers::retain_full_hourly},
    {&Numbers::retain_daily, &Numbers::retain_daily_days, &Numbers::retain_db_daily, &Numbers::retain_full_daily},
    {&Numbers::retain_weekly, &Numbers::retain_weekly_days, &Numbers::retain_db_weekly, &Numbers::retain_full_weekly},
    {&Numbers::retain_monthly, &Numbers::retain_monthly_days, &Numbers::retain_db_monthly,
     &Numbers::retain_full_monthly},
}};

Number first_of(const Number& one, const Number& other) { return one ? one : other; }

}  // namespace

Numbers inherit(const Numbers& own, const Numbers& organization) {
    const Numbers usual = usual_numbers();
    Numbers out;
    for (const TierMembers& tier : kTierMembers) {
        // Whoever says a tier's general number means both types, unless the same one says more.
        const Numbers above = own.*tier.general ? Numbers() : organization;
        out.*tier.general = first_of(own.*tier.general, first_of(organization.*tier.general, usual.*tier.general));
        out.*tier.days = first_of(own.*tier.days, organization.*tier.days);
        out.*tier.db = first_of(own.*tier.db, above.*tier.db);
        out.*tier.full = first_of(own.*tier.full, first_of(above.*tier.full, usual.*tier.full));
    }
    return out;
}

Result<Policy> resolve(const Numbers& n, Zone zone) {
    const std::array<TierNumbers, 4> tiers = {{
        {"Hourly", n.retain_hourly, n.retain_hourly_days, n.retain_db_hourly, n.retain_full_hourly},
        {"Daily", n.retain_daily, n.retain_daily_days, n.retain_db_daily, n.retain_full_daily},
        {"Weekly", n.retain_weekly, n.retain_weekly_days, n.retain_db_weekly, n.retain_full_weekly},
        {"Monthly", n.retain_monthly, n.retain_monthly_days, n.retain_db_monthly, n.retain_full_monthly},
    }};
    Policy policy;
    policy.zone = std::move(zone);
    for (std::size_t i = 0; i < tiers.size(); ++i) {
        const TierNumbers& tier = tiers[i];
        const auto days = TRY(number(tier.days, 0, kDaysMost, fmt::format("retain{}Days", tier.name)));
        // A wrong general number is a fault even where both types have their own.
        TRY(number(tier.general, 0, kNumberMost, fmt::format("retain{}", tier.name)));
        const auto db = TRY(number(tier.db ? tier.db : tier.general, kUsualDb.at(i), kNumberMost,
                                   fmt::format("retainDb{}", tier.name)));
        const auto full = TRY(number(tier.full ? tier.full : tier.general, kUsualFull.at(i), kNumberMost,
                                     fmt::format("retainFull{}", tier.name)));
        policy.db.at(i) = {db, days};
        policy.full.at(i) = {full, days};
    }
    if (keeps_nothing(policy.db) || keeps_nothing(policy.full)) {
        return Error(Errc::invalid, "every tier would be off").with_reason("empty_retention");
    }
    return policy;
}

std::vector<Verdict> decide(const std::vector<Candidate>& candidates, const Policy& policy, TimeMs now) {
    std::vector<Verdict> verdicts;
    verdicts.reserve(candidates.size());
    for (const Candidate& candidate : candidates) verdicts.push_back(without_tiers(candidate, now));
    judge_type("db", policy.db, candidates, policy, now, verdicts);
    judge_type("full", policy.full, candidates, policy, now, verdicts);
    return verdicts;
}

}  // namespace backstay::retention
