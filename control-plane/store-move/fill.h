// All rows of one store in another, and the proof that they are the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/sql/transaction.h"
#include "control-plane/store-move/schema.h"

namespace backstay::store_move {

struct TableSum {
    std::string table;
    std::int64_t rows = 0;
    std::string sha256;  // table_rows.h
    bool operator==(const TableSum&) const = default;
};
using Sums = std::vector<TableSum>;  // in the order of the schema

// Told now and then what is under way; may answer an error, which ends it.
using OnProgress = std::function<Result<>(const std::string& doing, std::int64_t rows)>;

// Of what a store holds, within a transaction or a snapshot.
Result<Sums> sums_of(sql::Database& db, const Schema& schema, const OnProgress& on_progress);

// Tables of both sides.
struct Filled {
    Sums from;
    Sums to;
    std::vector<std::string> different() const;
};

// Makes the source's schema in a target that has none and puts all rows there; `to` is read back. The source is within
// a transaction or a snapshot of its own; one of the two is SQLite. Nothing counts before the transaction's end.
// invalid: a value that the target cannot hold, with its row.
Result<Filled> fill(sql::Database& source, sql::Transaction& target, const OnProgress& on_progress);

// The schema of both, which must be the same.
Result<Schema> common_schema(sql::Database& one, sql::Database& other);

}  // namespace backstay::store_move
