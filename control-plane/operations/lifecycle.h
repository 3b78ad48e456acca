// What happens to an operation. Every change goes through here, or through its agent's account (account.h), so that
// steps, verdict, the row that people see and the event stream never disagree. Runs inside the caller's transaction.
// The functions keep `operation` as stored.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/domain/steps.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

// Its agent works on it now. A new attempt begins with a clean page of steps, and a backup's or a snapshot's also of
// copies.
Result<> begin(sql::Database& db, OperationRow& operation, std::int32_t attempt, TimeMs now);

// The agent's last word. `keep_previous_ms`: how long the way back of a restore or a rollback stays open.
Result<> end(sql::Database& db, OperationRow& operation, const control_plane::JobFinish& finish,
             std::int64_t keep_previous_ms, TimeMs now);
// Our own last word: the agent vanished, refused, or took too long.
Result<> fail(sql::Database& db, OperationRow& operation, std::string_view reason, std::string_view message,
              TimeMs now);
Result<> cancel(sql::Database& db, OperationRow& operation, std::string_view message, TimeMs now);
// It waits for another attempt; what the last one left is kept until that begins.
Result<> wait_again(sql::Database& db, OperationRow& operation, std::string_view message, TimeMs now);

// Computes the verdict anew from what is stored, and with it the row's status. For operations whose facts changed from
// outside: a verification that found a copy damaged, a copy that arrived later.
Result<> refresh(sql::Database& db, OperationRow& operation, TimeMs now);

}  // namespace backstay::operations
