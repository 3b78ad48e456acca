// Schema versions of a store: numbered .sql files, embedded by backstay_embed_sql (cmake/EmbedSql.cmake). They are
// written once, in SQLite's words; for PostgreSQL those words are changed (migrations.cpp).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/sql/transaction.h"
#include "common/sqlite/migrations.h"

namespace backstay::sql {

using sqlite::Migration;

// Brings the store to the newest version; safe when several processes do so at once. A store written by a newer
// program is `invalid` and stays untouched.
Result<> migrate(Database& database, std::span<const Migration> migrations);

// As part of a transaction: all of them or, when it is rolled back, none. Only for a store that has none yet.
Result<> migrate(Transaction& transaction, std::span<const Migration> migrations);

// 0: there is none yet.
Result<int> schema_version(Database& database);

// A migration as PostgreSQL reads it.
std::string in_postgres(std::string_view sql);

}  // namespace backstay::sql
