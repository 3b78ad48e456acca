// The windows of WAL that schedules ask for (contract/semantics.md 6.2): what agents are told of them, and whether they
// are there. Whether WAL is archived at all is the host's own business (docs/decisions/0025).
#pragma once

#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/store/agents.h"

namespace backstay::schedule {

// By cluster: the longest window and the shortest interval of base backups that any schedule asks for, which is the
// full backups' cadence, at least a day and at most a week.
Result<std::vector<control_plane::WalWish>> wal_wishes(sql::Database& db, const store::Agent& agent, TimeMs now);

// Raises pitr_window_short where the window should be filled by now and is not; alerts whose cause is over are
// resolved. Inside the caller's transaction.
Result<> watch_windows(sql::Database& db, TimeMs now);

}  // namespace backstay::schedule
