// What an operation's change means for the rows around it: the backup, the snapshot, the restore, the rollback, the
// environment, the destination.
// Inside of control-plane/operations.
#pragma once

#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

// Status, times and error of the operation's own row.
Result<> show_in_history(sql::Database& db, const OperationRow& operation, std::string_view message, TimeMs now);

// What the agent's last word says about the row: folder, sizes, manifest, safety backup.
Result<> store_results(sql::Database& db, const OperationRow& operation, const control_plane::JobFinish& finish,
                       std::int64_t keep_previous_ms, TimeMs now);

// An ended operation changes others: a verification dates the backup, a copy heals it, a deletion hides it, an undo
// reverts the restore, a test marks the destination.
Result<> settle_aftermath(sql::Database& db, const OperationRow& operation, TimeMs now);

}  // namespace backstay::operations
