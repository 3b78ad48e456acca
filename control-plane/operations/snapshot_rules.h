// Rules of snapshots as pure functions: how long one lives, whether it may be pinned, what is said of its copies
// (contract/semantics.md 7.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/domain/steps.h"

namespace backstay::operations {

inline constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
inline constexpr TimeMs kUnpinnedGraceMs = kDayMs;

// What a snapshot's life hangs on.
struct Lifetime {
    std::optional<TimeMs> completed_at;  // of its end, whatever that was; absent: it has not ended
    bool is_pinned = false;
    std::optional<TimeMs> unpinned_at;
    std::int64_t retention_days = 0;
};
// When it would go by itself; absent: not at all.
std::optional<TimeMs> own_expiry(const Lifetime& lifetime);

// The differentials that need a full one.
struct Dependents {
    std::int64_t number = 0;
    bool one_stays = false;  // pinned, or not ended yet
    std::optional<TimeMs> latest;
};
// A base outlives its differentials.
std::optional<TimeMs> expiry_with(const std::optional<TimeMs>& own, const Dependents& dependents);

bool is_usable_snapshot(std::string_view status);

// Pinning one more: whether `pinned` others of the environment leave room for it. What is pinned already stays so, also
// above a limit that was lowered.
bool may_pin(bool already_pinned, std::int64_t pinned, std::int64_t max_pinned);

// none, pending, uploading, uploaded, verified, failed, missing: of the copies in destinations, never of the host's
// own.
std::string remote_status(const std::vector<std::string>& destination_ids, const std::vector<std::string>& artifacts,
                          const std::vector<CopyRecord>& copies, bool ended);

}  // namespace backstay::operations
