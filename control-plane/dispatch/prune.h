// Retention at work: what the verdicts (control-plane/retention/verdicts.h) let go is removed. Called by the sweep,
// each inside a transaction.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/store/schedules.h"

namespace backstay::dispatch {

inline constexpr TimeMs kPruneEveryMs = 24LL * 3600 * 1000;       // without a new backup
inline constexpr TimeMs kFailedKeptMs = 30LL * 24 * 3600 * 1000;  // failed and cancelled backups, as history

// Orders the removal of what this schedule lets go, at most some; true: all of it.
Result<bool> prune_environment(sql::Database& db, const store::Schedule& schedule, TimeMs now, Stir& stir);

// Environments whose schedule prunes: after each backup that can be restored, and once a day. A schedule that is new or
// was changed gets that long before it first counts, so that a slip of the pen can be mended.
Result<> prune_due(sql::Database& db, TimeMs now, Stir& stir);

// Failed and cancelled backups whose time as history is over, with what they left, whether there is a schedule or not.
Result<> remove_failed_history(sql::Database& db, TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
