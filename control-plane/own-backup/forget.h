// What a control plane that was put back to an earlier state must not go on with: between the backup and now its agents
// did what it remembers as ordered.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/transaction.h"

namespace backstay::own_backup {

struct Forgotten {
    std::int64_t unmade = 0;      // backups and snapshots that were not done yet: as if never ordered
    std::int64_t stopped = 0;     // restores, rollbacks and undos: failed, never begun a second time
    std::int64_t alone = 0;       // further jobs that agents had begun by themselves: failed
    std::int64_t tokens = 0;      // of enrolment, unused: ended, they may have been used since
    std::int64_t deliveries = 0;  // of webhooks and mail: ended, they may have been made since
    TimeMs tell_since = 0;        // from when on agents have to tell again what they made
};

// Orders of backups and snapshots vanish with their rows: they may have been made since, and a row that ends as failed
// would have its files removed one day. What swaps databases ends as failed, and so does what an agent had begun
// by itself: nobody tells of its end a second time. All else (copies, verifications,
// deletions, tests) may be done twice and stays. Removals by themselves wait for three days (store/removal_hold.h).
// Each organization's audit trail says that this happened.
Result<Forgotten> forget_unfinished(sql::Transaction& transaction, TimeMs made_at, TimeMs now);

}  // namespace backstay::own_backup
