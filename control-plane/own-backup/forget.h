// What a control plane that was put back to an earlier state must not go on with: between the backup and now its agents
// did what it remembers as ordered.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sqlite/transaction.h"

namespace backstay::own_backup {

struct Forgotten {
    std::int64_t unmade = 0;   // backups and snapshots that were not done yet: as if never ordered
    std::int64_t stopped = 0;  // restores, rollbacks and undos: failed, never begun a second time
    std::int64_t alone = 0;    // further jobs that agents had begun by themselves: failed
};

// Orders of backups and snapshots vanish with their rows: they may have been made since, and a row that ends as failed
// would have its files removed one day. What swaps databases ends as failed, and so does what an agent had begun
// by itself: nobody tells of its end a second time. All else (copies, verifications,
// deletions, tests) may be done twice and stays. Each organization's audit trail says that this happened.
Result<Forgotten> forget_unfinished(sqlite::Transaction& transaction, TimeMs made_at, TimeMs now);

}  // namespace backstay::own_backup
