// Words of SQL that only one of the two stores has.
#pragma once

#include <string_view>

#include "common/sql/database.h"

namespace backstay::sql {

// Behind a SELECT of a transaction: its rows are this transaction's until its end, and those that another one has taken
// are left out. SQLite's writer is alone.
inline std::string_view taken_rows(const Database& db) {
    return db.dialect() == Dialect::postgres ? " FOR UPDATE SKIP LOCKED" : "";
}

}  // namespace backstay::sql
