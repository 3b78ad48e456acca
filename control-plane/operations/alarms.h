// What an ended operation alerts people of, and which alerts it ends. Inside of control-plane/operations.
#pragma once

#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

// In the transaction that ends the operation, after its aftermath.
Result<> raise_alerts(sql::Database& db, const OperationRow& operation, std::string_view message, TimeMs now);

}  // namespace backstay::operations
