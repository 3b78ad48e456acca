// Words of SQL that only PostgreSQL has.
#pragma once

#include <string_view>

namespace backstay::sql {

// Behind a SELECT of a transaction: its rows are this transaction's until its end, and those that another one has taken
// are left out. SQLite's writer is alone.
inline constexpr std::string_view kTakenRows = " FOR UPDATE SKIP LOCKED";

}  // namespace backstay::sql
