// When a schedule's backups are due. Pure, and shared: the control plane decides by it, and an agent does while the
// control plane is away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/time/cron.h"
#include "common/time/zone.h"

namespace backstay::schedule {

// An agent leaves a due moment to the control plane for so long, or a quarter of the interval if that is shorter.
inline constexpr std::int64_t kAloneAfterMs = 10LL * 60 * 1000;

// One due moment.
struct Slot {
    TimeMs due = 0;
    std::optional<TimeMs> following;  // the moment after it; nullopt: none
    TimeMs stale_at = 0;              // half-way to the following one: from here on it is missed
};

// The newest moment at or before `now` that is not decided; the ones before it are passed over. `first` is the first
// that is not decided, whether or not the cron names it.
std::optional<Slot> newest_slot(const Cron& cron, const Zone& zone, TimeMs first, TimeMs now);

// How long after `slot.due` an agent begins alone, when it heard nothing from the control plane; at most `most`.
std::int64_t alone_after_ms(const Slot& slot, std::int64_t most = kAloneAfterMs);

// The longest time between two of the next runs; absent: it runs once at most.
std::optional<std::int64_t> longest_gap_ms(const Cron& cron, const Zone& zone, TimeMs now);

// What is expected every `interval_ms`, and was there `age_ms` ago.
enum class Lateness { in_time, late, very_late };  // late: beyond 1.5 times the interval; very: twice
Lateness lateness(std::int64_t age_ms, std::int64_t interval_ms);

// How long after its `attempt`-th attempt failed for a cause that may pass a backup is tried again; absent: not any
// more.
std::optional<std::int64_t> retry_delay_ms(std::int32_t attempt);

// The id of the backup of this moment: the same for whoever makes it, so that it is made once. A UUID of version 7
// whose time is `due`.
std::string run_id(std::string_view environment_id, std::string_view scope, TimeMs due);

}  // namespace backstay::schedule
