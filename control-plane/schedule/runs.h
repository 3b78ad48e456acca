// The scheduler: turns due moments into operations. What became of a moment is written in the transaction that orders
// its backup, under a key that only this moment has: a control plane that dies anywhere finds it decided or not.
#pragma once

#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/schedules.h"

namespace backstay::schedule {

// Where its backups go: what it names and still exists, else the organization's default; empty: nowhere.
Result<std::vector<store::DestinationRow>> destinations_of(sql::Database& db, const store::Schedule& schedule);

// Everything that is due, each schedule in a transaction of its own; one that fails is logged and keeps none of the
// others. On the writing thread, outside of any transaction.
Result<> run_due(sql::Database& db, TimeMs now, dispatch::Stir& stir);

// Inside the caller's transaction: one schedule's turns.
Result<> take_turns(sql::Database& db, const store::Schedule& schedule, TimeMs now, dispatch::Stir& stir);

// An agent made this run, by itself or because it was asked to: it is decided, and all moments before it are.
Result<> note_run(sql::Database& db, const control_plane::ScheduledRun& run, TimeMs now);

}  // namespace backstay::schedule
