// Forgets old history in small pieces, so that a store does not grow for ever and no writer waits long.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/config/settings.h"

namespace backstay::live {

// One piece, in a transaction of its own on the writing thread; answers whether there may be more. Goes: audit entries,
// answers to idempotency keys, tokens and keys that are over; alerts of 90 days whose cause is over or that were
// dismissed, and deliveries of 30 days; steps, events and jobs of operations that ended, but not
// of a backup or a snapshot that exists (its verdict may have to be computed again) nor of a restore or a rollback that
// can be undone; in the end the operations themselves with the backups and snapshots that are deleted, the restores and
// the rollbacks.
Result<bool> purge_some(sql::Database& db, const RetentionSettings& keep, TimeMs now);

}  // namespace backstay::live
