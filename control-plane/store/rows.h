// Reading rows into structs; inside of control-plane/store and of the folders that keep repositories of their own.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "common/sqlite/database.h"

namespace backstay::store {

// The first row, read by `read(const sqlite::Statement&)`.
template <class Read>
auto first_row(Result<sqlite::Statement> query, Read read)
    -> Result<std::optional<decltype(read(std::declval<const sqlite::Statement&>()))>> {
    using Row = decltype(read(std::declval<const sqlite::Statement&>()));
    auto statement = TRY(std::move(query));
    std::optional<Row> row;
    if (TRY(statement.step())) row = read(statement);
    return row;
}

template <class Read>
auto all_rows(Result<sqlite::Statement> query, Read read)
    -> Result<std::vector<decltype(read(std::declval<const sqlite::Statement&>()))>> {
    using Row = decltype(read(std::declval<const sqlite::Statement&>()));
    auto statement = TRY(std::move(query));
    std::vector<Row> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

// A single number, as COUNT(*) gives it.
inline Result<std::int64_t> count_of(Result<sqlite::Statement> query) {
    auto statement = TRY(std::move(query));
    const bool row = TRY(statement.step());
    return row ? statement.integer(0) : 0;
}

}  // namespace backstay::store
