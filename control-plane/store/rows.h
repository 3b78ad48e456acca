// Reading rows into structs; inside of control-plane/store and of the folders that keep repositories of their own.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/sql/database.h"

namespace backstay::store {

// The first row, read by `read(const sql::Statement&)`.
template <class Read>
auto first_row(Result<sql::Statement> query, Read read)
    -> Result<std::optional<decltype(read(std::declval<const sql::Statement&>()))>> {
    using Row = decltype(read(std::declval<const sql::Statement&>()));
    auto statement = TRY(std::move(query));
    std::optional<Row> row;
    if (TRY(statement.step())) row = read(statement);
    return row;
}

// What a reader of rows gives, whether or not it can fail.
template <class T>
struct RowOf {
    using type = T;
};
template <class T>
struct RowOf<Result<T>> {
    using type = T;
};
template <class Read>
using RowRead = decltype(std::declval<Read>()(std::declval<const sql::Statement&>()));

template <class Read>
auto all_rows(Result<sql::Statement> query, Read read) -> Result<std::vector<typename RowOf<RowRead<Read>>::type>> {
    using Row = typename RowOf<RowRead<Read>>::type;
    auto statement = TRY(std::move(query));
    std::vector<Row> rows;
    while (TRY(statement.step())) {
        if constexpr (std::is_same_v<RowRead<Read>, Row>) {
            rows.push_back(read(statement));
        } else {
            rows.push_back(TRY(read(statement)));
        }
    }
    return rows;
}

// A single number, as COUNT(*) gives it.
inline Result<std::int64_t> count_of(Result<sql::Statement> query) {
    auto statement = TRY(std::move(query));
    const bool row = TRY(statement.step());
    return row ? statement.integer(0) : 0;
}

// One page, newest first, and how many rows there are. `from`: "FROM table WHERE …" with the filter's $1…, which both
// questions get.
template <class Page, class Read>
Result<Page> newest_page(sql::Database& db, std::string_view columns, std::string_view from,
                         std::vector<sql::Value> filter, std::int64_t limit, std::int64_t offset, Read read) {
    Page page;
    page.total = TRY(count_of(db.query("SELECT count(*) " + std::string(from), filter)));
    const std::string order = " ORDER BY created_at DESC, id DESC LIMIT $" + std::to_string(filter.size() + 1) +
                              " OFFSET $" + std::to_string(filter.size() + 2);
    filter.emplace_back(limit);
    filter.emplace_back(offset);
    page.rows =
        TRY(all_rows(db.query("SELECT " + std::string(columns) + " " + std::string(from) + order, filter), read));
    return page;
}

}  // namespace backstay::store
