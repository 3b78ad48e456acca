// The tables of a store as its own catalogue tells of them: sqlite_schema, or pg_catalog.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::store_move {

struct Column {
    std::string name;
    std::string type;  // INTEGER, REAL, TEXT, BLOB
    bool operator==(const Column&) const = default;
};
struct Table {
    std::string name;
    std::vector<Column> columns;
    std::vector<std::string> key;   // the columns that rows are ordered by; all, where there is no primary key
    std::set<std::string> parents;  // other tables that its foreign keys name

    std::vector<std::string> column_names() const;
    bool operator==(const Table&) const = default;
};
// Parents before their children.
using Schema = std::vector<Table>;

// Of an SQLite store: all tables.
Result<Schema> read_sqlite(sql::Database& db);
// Of a PostgreSQL store: those of these names that are there; others are somebody else's.
Result<Schema> read_postgres(sql::Database& db, const std::set<std::string>& names);

std::set<std::string> names_of(const Schema& schema);

// invalid, with the first table that differs.
Result<> check_same(const Schema& one, const Schema& other);

}  // namespace backstay::store_move
