// Schema versions: numbered .sql files, embedded by backstay_embed_sql (cmake/EmbedSql.cmake), applied each in a
// transaction of its own and counted in PRAGMA user_version.
#pragma once

#include <span>
#include <string_view>

#include "common/result.h"
#include "common/sqlite/database.h"

namespace backstay::sqlite {

struct Migration {
    int version;  // 1, 2, 3 …
    std::string_view name;
    std::string_view sql;
};

// Brings the database to the newest version; safe when several processes do so at once. A database written by a newer
// program is `invalid` and stays untouched.
Result<> migrate(Database& database, std::span<const Migration> migrations);

// invalid, when a database has a version that this program does not know.
Result<> check_version(int present, int known);

Result<int> schema_version(Database& database);

}  // namespace backstay::sqlite
