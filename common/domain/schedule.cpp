#include "common/domain/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace backstay::schedule {
namespace {

constexpr TimeMs kMinuteMs = 60'000;
constexpr TimeMs kHourMs = 60 * kMinuteMs;
constexpr TimeMs kDayMs = 24 * kHourMs;
// A long silence must not be walked through minute by minute: looked for in ever longer stretches before now. The last
// one holds every cycle of a calendar.
constexpr std::array<TimeMs, 5> kStretches = {kHourMs, kDayMs, 32 * kDayMs, 366 * kDayMs, 8 * 366 * kDayMs};

std::optional<TimeMs> newest_between(const Cron& cron, const Zone& zone, TimeMs after, TimeMs now) {
    std::optional<TimeMs> found;
    for (auto at = cron.next(after, zone); at && *at <= now; at = cron.next(*at, zone)) found = at;
    return found;
}

constexpr int kRunsLookedAt = 8;  // a week of working days, with its weekend

constexpr std::uint64_t kTypeBits = 0xfff;

std::uint64_t fnv(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3;
    }
    return hash;
}

}  // namespace

std::optional<Slot> newest_slot(const Cron& cron, const Zone& zone, TimeMs first, TimeMs now) {
    if (first > now) return std::nullopt;
    Slot slot;
    slot.due = first;
    for (const TimeMs stretch : kStretches) {
        const TimeMs after = std::max(first, now - stretch);
        if (const auto found = newest_between(cron, zone, after, now)) {
            slot.due = *found;
            break;
        }
        if (after == first) break;
    }
    slot.following = cron.next(now, zone);
    // What never comes again is not missed by waiting for a day.
    const TimeMs interval = slot.following ? *slot.following - slot.due : 2 * kDayMs;
    slot.stale_at = slot.due + interval / 2;
    return slot;
}

std::int64_t alone_after_ms(const Slot& slot, std::int64_t most) {
    return std::min<std::int64_t>(most, (slot.stale_at - slot.due) / 2);
}

std::optional<std::int64_t> longest_gap_ms(const Cron& cron, const Zone& zone, TimeMs now) {
    std::int64_t longest = 0;
    std::optional<TimeMs> run = cron.next(now, zone);
    for (int i = 0; run && i < kRunsLookedAt; ++i) {
        const std::optional<TimeMs> following = cron.next(*run, zone);
        if (!following) break;
        longest = std::max(longest, *following - *run);
        run = following;
    }
    return longest == 0 ? std::nullopt : std::optional<std::int64_t>(longest);
}

Lateness lateness(std::int64_t age_ms, std::int64_t interval_ms) {
    if (interval_ms <= 0 || age_ms * 2 <= interval_ms * 3) return Lateness::in_time;
    return age_ms >= 2 * interval_ms ? Lateness::very_late : Lateness::late;
}

std::optional<std::int64_t> retry_delay_ms(std::int32_t attempt) {
    constexpr std::array<std::int64_t, 3> kDelays = {1 * kMinuteMs, 5 * kMinuteMs, 15 * kMinuteMs};
    const std::size_t index = attempt < 1 ? 0 : static_cast<std::size_t>(attempt - 1);
    return index < kDelays.size() ? std::optional(kDelays[index]) : std::nullopt;
}

std::string run_id(std::string_view environment_id, std::string_view scope, TimeMs due) {
    const auto time = static_cast<std::uint64_t>(due) & 0xffffffffffff;
    const std::uint64_t type = fnv(scope) & kTypeBits;
    // An environment's id is random: two of one moment differ as two random ids do.
    const std::uint64_t rest = (fnv(environment_id) & 0x3fffffffffffffff) | 0x8000000000000000;
    return fmt::format("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", time >> 16, time & 0xffff, type, rest >> 48,
                       rest & 0xffffffffffff);
}

}  // namespace backstay::schedule
