// A table's rows in the order of its key, and their digest: the same on every driver.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/crypto/digest.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/store-move/schema.h"

namespace backstay::store_move {

// One value with what it refers to.
struct Cell {
    sql::Type type = sql::Type::null;
    std::int64_t integer = 0;
    double real = 0;
    std::string text;
    sql::Blob blob;

    sql::Value value() const;
};

// Within a transaction or a snapshot. Memory stays flat on both drivers.
class TableRows {
public:
    // Both outlive it.
    static Result<TableRows> open(sql::Database& db, const Table& table);

    // False: the end.
    Result<bool> step();
    const std::vector<Cell>& cells() const { return cells_; }
    // "backups, id 5": for messages.
    std::string place() const;

private:
    TableRows(sql::Database& db, const Table& table, std::string next)
        : db_(&db), table_(&table), next_(std::move(next)), cells_(table.columns.size()) {}
    Result<bool> step_piece();

    sql::Database* db_;
    const Table* table_;
    std::string next_;  // what asks for the next piece
    std::optional<sql::Statement> piece_;
    std::int64_t in_piece_ = 0;
    std::vector<Cell> cells_;
};

// SHA-256 over the rows: each value as a letter of its type (n, i, r, t, b) with, big end first, the eight bytes of a
// number, or eight bytes of length and the content.
class RowDigest {
public:
    void add(const std::vector<Cell>& row);
    std::string hex();

private:
    Digest digest_{DigestKind::sha256};
    std::string held_;
};

}  // namespace backstay::store_move
