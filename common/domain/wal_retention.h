// What of a cluster's archive may go: a pure decision, so that it can be shown before it is carried out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/domain/wal_coverage.h"

namespace backstay::wal {

inline constexpr std::int64_t kRetentionDaysDefault = 7;
inline constexpr std::int64_t kRetentionDaysMax = 90;

struct Disposal {
    std::vector<std::string> bases;  // backup ids, oldest first
    // Segments, on whatever timeline, that end at or before it. nullopt: none goes. Histories always stay.
    std::optional<Lsn> segments_before;
    std::string anchor;  // the oldest base that stays as the window's beginning; "": nothing may go
};

// Whether `now` is so far behind the last archived commit that the clock must be wrong: right after a base backup there
// is a fresh one. By a clock that is ahead, everything would be old.
bool is_clock_ahead(const Holdings& holdings, TimeMs now);

// Keeps the newest sound base that ended before (now - days), everything after it and the WAL from its start, so that
// every moment of the last `days` stays reachable, and the WAL that any other kept base begins with. Of each timeline
// that was written to inside the window, so that a clone's does not decide for the server that it was made of. A base
// is sound when the archive still holds the WAL that makes it consistent; without a sound one that is old enough
// nothing goes.
Disposal choose_disposal(const Holdings& holdings, TimeMs now, std::int64_t days);

}  // namespace backstay::wal
