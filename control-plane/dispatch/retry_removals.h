// What a store refused to remove (a lock, a permission, a host that is full) is ordered again, later and later.
#pragma once

#include <cstdint>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/stir.h"

namespace backstay::dispatch {

// When a removal is ordered again, after `failed` tries: an hour, doubled each time, at most a day.
std::int64_t removal_retry_ms(std::int64_t failed);

// Of backups and snapshots. Called by the sweep, inside its transaction.
Result<> retry_removals(sql::Database& db, TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
