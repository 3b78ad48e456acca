#include "control-plane/schedule/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/time/cron.h"
#include "common/time/zone.h"
#include "control-plane/api/answer.h"

namespace backstay::schedule {
namespace {

using api::rule_broken;

constexpr std::int64_t kWalDaysMost = 90;

const Preset* preset_of(std::string_view frequency) {
    const auto found = std::find_if(kPresets.begin(), kPresets.end(),
                                    [&](const Preset& preset) { return preset.frequency == frequency; });
    return frequency.empty() || found == kPresets.end() ? nullptr : &*found;
}

std::uint64_t minute_of(std::string_view environment_id) {
    std::uint64_t hash = 5381;
    for (const char c : environment_id) hash = hash * 33 + static_cast<unsigned char>(c);
    return hash % 60;
}

Result<std::string> checked_cron(const std::string& field, const std::string& text) {
    const auto cron = Cron::parse(text);
    if (!cron) return rule_broken("invalid_cron", field, cron.error().message());
    const auto gap = cron->shortest_gap();
    if (!gap) return rule_broken("invalid_cron", field, "no such day ever comes");
    if (*gap < kShortestGapMinutes) {
        return rule_broken(
            "cron_too_frequent", field,
            fmt::format("two runs are {} minutes apart, at least {} are needed", *gap, kShortestGapMinutes));
    }
    return cron->text();
}

// The cron that goes with a named frequency: what is sent may repeat what we filled in, or the preset as it is listed.
Result<std::string> named_cron(const std::string& prefix, const Preset& preset, const CadenceWish& wish,
                               const store::Cadence& stored, std::string_view environment_id) {
    const std::string own = spread_cron(preset.frequency, environment_id);
    const bool listed_before = stored.frequency == preset.frequency && stored.cron == preset.cron;
    if (!wish.cron || wish.cron->empty()) return listed_before ? stored.cron : own;
    const auto sent = Cron::parse(*wish.cron);
    if (sent && (sent->text() == own || sent->text() == preset.cron)) return sent->text();
    return rule_broken(
        "invalid_cron", prefix + "Cron",
        fmt::format("{} has a cron of its own: leave it out, or choose the frequency custom", preset.frequency));
}

Result<std::optional<TimeMs>> first_moment(const store::Schedule& schedule, const store::Cadence& cadence, TimeMs now) {
    if (!schedule.runs() || cadence.cron.empty()) return std::optional<TimeMs>();
    const Zone zone = TRY(Zone::find(schedule.time_zone));
    const Cron cron = TRY(Cron::parse(cadence.cron));
    return cron.next(now, zone);
}

}  // namespace

std::string spread_cron(std::string_view frequency, std::string_view environment_id) {
    const Preset* preset = preset_of(frequency);
    if (preset == nullptr) return "";
    return fmt::format("{}{}", minute_of(environment_id), preset->cron.substr(1));
}

Result<store::Cadence> take_cadence(std::string_view prefix, const CadenceWish& wish, const store::Cadence& stored,
                                    std::string_view environment_id) {
    const std::string name(prefix);
    store::Cadence cadence = stored;
    const bool only_cron = !wish.frequency && wish.cron && !wish.cron->empty() && *wish.cron != stored.cron;
    cadence.frequency = only_cron ? "custom" : wish.frequency.value_or(stored.frequency);
    if (cadence.frequency == "none") {
        if (wish.frequency && wish.cron && !wish.cron->empty()) {
            return rule_broken("invalid_cron", name + "Cron", "the frequency none has no cron");
        }
        cadence.cron.clear();
        return cadence;
    }
    if (cadence.frequency == "custom") {
        const std::string text = wish.cron.value_or(stored.frequency == "custom" ? stored.cron : "");
        if (text.empty()) return rule_broken("invalid_cron", name + "Cron", "the frequency custom needs one");
        cadence.cron = TRY(checked_cron(name + "Cron", text));
        return cadence;
    }
    const Preset* preset = preset_of(cadence.frequency);
    if (preset == nullptr) {
        return rule_broken("invalid_frequency", name + "Frequency",
                           "must be none, hourly, every_6_hours, every_12_hours, daily, weekly, monthly or custom");
    }
    cadence.cron = TRY(named_cron(name, *preset, wish, stored, environment_id));
    return cadence;
}

Result<> check_time_zone(const std::string& name) {
    const auto zone = Zone::find(name);
    if (zone) return {};
    return rule_broken("invalid_timezone", "timezone", "must be a name of the IANA database, like Europe/Brussels");
}

Result<> check_retention(const retention::Numbers& numbers) {
    const auto policy = retention::resolve(numbers, Zone::utc());
    if (policy) return {};
    const Error& error = policy.error();
    if (error.reason() == "out_of_range") {
        const bool days = error.message().ends_with("Days");
        return rule_broken("out_of_range", error.message(), days ? "must be 0 to 36500" : "must be 0 to 1000");
    }
    return rule_broken("empty_retention", "retainDaily", "every tier of a type would be off: nothing would be kept");
}

Result<> check_wal_days(std::int64_t days) {
    if (days >= 1 && days <= kWalDaysMost) return {};
    return rule_broken("out_of_range", "walRetentionDays", fmt::format("must be 1 to {}", kWalDaysMost));
}

Result<> reckon_next(store::Schedule& schedule, const std::optional<store::Schedule>& before, TimeMs now) {
    const bool same_frame = before && before->runs() == schedule.runs() && before->time_zone == schedule.time_zone;
    for (const std::string_view scope : store::kScheduledScopes) {
        store::Cadence& cadence = schedule.of(scope);
        if (same_frame && before->of(scope).cron == cadence.cron) continue;
        cadence.next = TRY(first_moment(schedule, cadence, now));
    }
    return {};
}

std::optional<TimeMs> shown_next(const store::Schedule& schedule, const store::Cadence& cadence, TimeMs now) {
    if (!schedule.runs()) return std::nullopt;
    if (cadence.next && *cadence.next > now) return cadence.next;
    const auto ahead = first_moment(schedule, cadence, now);
    return ahead ? *ahead : std::nullopt;
}

}  // namespace backstay::schedule
