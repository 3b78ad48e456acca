#include "control-plane/store-move/schema.h"

#include <algorithm>
#include <map>

namespace backstay::store_move {
namespace {

// What differs between the catalogues. Each takes a table's name, but the first.
struct Questions {
    const char* tables;
    const char* columns;  // name, type, place in the primary key or 0
    const char* parents;
};

constexpr Questions kSqlite = {
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    "SELECT name, type, pk FROM pragma_table_info($1) ORDER BY cid",
    "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)",
};
constexpr Questions kPostgres = {
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname",
    "SELECT a.attname, CASE t.typname WHEN 'int8' THEN 'INTEGER' WHEN 'float8' THEN 'REAL' WHEN 'text' THEN 'TEXT' "
    "WHEN 'bytea' THEN 'BLOB' ELSE t.typname END, COALESCE(array_position(i.indkey::int2[], a.attnum), -1) + 1 "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
    "WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    "SELECT DISTINCT p.relname FROM pg_constraint f JOIN pg_class p ON p.oid = f.confrelid "
    "WHERE f.contype = 'f' AND f.conrelid = to_regclass(quote_ident($1))",
};

Result<Table> read_table(sql::Database& db, const Questions& questions, const std::string& name) {
    Table table;
    table.name = name;
    std::map<std::int64_t, std::string> key;
    auto columns = TRY(db.query(questions.columns, {name}));
    while (TRY(columns.step())) {
        table.columns.push_back({columns.text(0), columns.text(1)});
        if (columns.integer(2) > 0) key.emplace(columns.integer(2), columns.text(0));
    }
    for (const auto& [place, column] : key) table.key.push_back(column);
    if (table.key.empty()) table.key = table.column_names();
    auto parents = TRY(db.query(questions.parents, {name}));
    while (TRY(parents.step())) table.parents.insert(parents.text(0));
    table.parents.erase(name);
    return table;
}

// Those whose parents all stand already come next.
Result<Schema> in_order(Schema tables) {
    Schema ordered;
    std::set<std::string> placed;
    while (!tables.empty()) {
        const auto next =
            std::ranges::find_if(tables, [&](const Table& one) { return std::ranges::includes(placed, one.parents); });
        if (next == tables.end()) {
            return Error(Errc::invalid, "the foreign keys of " + tables.front().name + " go round in a circle");
        }
        placed.insert(next->name);
        ordered.push_back(std::move(*next));
        tables.erase(next);
    }
    return ordered;
}

Result<std::vector<std::string>> table_names(sql::Database& db, const Questions& questions) {
    std::vector<std::string> names;
    auto rows = TRY(db.query(questions.tables));
    while (TRY(rows.step())) names.push_back(rows.text(0));
    return names;
}

}  // namespace

std::vector<std::string> Table::column_names() const {
    std::vector<std::string> names;
    for (const Column& column : columns) names.push_back(column.name);
    return names;
}

Result<Schema> read_sqlite(sql::Database& db) {
    Schema tables;
    for (const std::string& name : TRY(table_names(db, kSqlite))) {
        tables.push_back(TRY(read_table(db, kSqlite, name)));
    }
    return in_order(std::move(tables));
}

Result<Schema> read_postgres(sql::Database& db, const std::set<std::string>& names) {
    Schema tables;
    for (const std::string& name : TRY(table_names(db, kPostgres))) {
        if (names.contains(name)) tables.push_back(TRY(read_table(db, kPostgres, name)));
    }
    return in_order(std::move(tables));
}

std::set<std::string> names_of(const Schema& schema) {
    std::set<std::string> names;
    for (const Table& table : schema) names.insert(table.name);
    return names;
}

Result<> check_same(const Schema& one, const Schema& other) {
    for (const auto& [mine, theirs] : {std::pair(&one, &other), std::pair(&other, &one)}) {
        for (const Table& table : *mine) {
            if (std::ranges::find(*theirs, table) != theirs->end()) continue;
            return Error(Errc::invalid, "table " + table.name + " is not the same in both stores");
        }
    }
    return {};
}

}  // namespace backstay::store_move
