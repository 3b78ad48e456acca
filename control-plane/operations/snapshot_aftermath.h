// aftermath.h's part for snapshots and rollbacks. Inside of control-plane/operations.
#pragma once

#include <optional>
#include <string>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

// `error`: what stands in errorMessage of an operation that failed.
Result<> show_snapshot(sql::Database& db, const OperationRow& operation, const std::optional<std::string>& error);
Result<> show_rollback(sql::Database& db, const OperationRow& operation, const std::optional<std::string>& error);

Result<> store_snapshot_results(sql::Database& db, const OperationRow& operation,
                                const control_plane::JobFinish& finish);
Result<> store_rollback_results(sql::Database& db, const OperationRow& operation,
                                const control_plane::JobFinish& finish, std::int64_t keep_previous_ms, TimeMs now);

Result<> settle_snapshot(sql::Database& db, const OperationRow& operation, TimeMs now);
// The deletion of a snapshot; nothing when operation.backup_id is none.
Result<> settle_snapshot_deletion(sql::Database& db, const OperationRow& operation, TimeMs now);

}  // namespace backstay::operations
