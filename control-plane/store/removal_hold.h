// After a restore of the control plane nothing is removed by itself for a while: what it knows of pins, pauses and
// retention is old. Whoever removes something because of the time that passed asks here first; people's own orders and
// the removal of history go on.
#pragma once

#include <optional>

#include "common/clock.h"
#include "common/sql/database.h"

namespace backstay::store {

inline constexpr TimeMs kRemovalHoldMs = 72LL * 3600 * 1000;

// nullopt: nothing is held now.
Result<std::optional<TimeMs>> removals_held_until(sql::Database& db, TimeMs now);
Result<> hold_removals(sql::Database& db, TimeMs until);
// False: nothing was held.
Result<bool> release_removals(sql::Database& db, TimeMs now);

}  // namespace backstay::store
