// Reading rows into structs; inside of control-plane/store and of the folders that keep repositories of their own.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/sql/database.h"
#include "control-plane/store/where.h"

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

// One page, newest first. `from`: "FROM table WHERE …" with the filter's $1….
template <class Read>
auto newest_rows(sql::Database& db, std::string_view columns, std::string_view from, std::vector<sql::Value> filter,
                 std::int64_t limit, std::int64_t offset, Read read) {
    const std::string order = " ORDER BY created_at DESC, id DESC LIMIT $" + std::to_string(filter.size() + 1) +
                              " OFFSET $" + std::to_string(filter.size() + 2);
    filter.emplace_back(limit);
    filter.emplace_back(offset);
    return all_rows(db.query("SELECT " + std::string(columns) + " " + std::string(from) + order, filter), read);
}

// The same, and how many rows there are: they are counted, so there must be few.
template <class Page, class Read>
Result<Page> newest_page(sql::Database& db, std::string_view columns, std::string_view from,
                         const std::vector<sql::Value>& filter, std::int64_t limit, std::int64_t offset, Read read) {
    Page page;
    page.total = TRY(count_of(db.query("SELECT count(*) " + std::string(from), filter)));
    page.rows = TRY(newest_rows(db, columns, from, filter, limit, offset, read));
    return page;
}

// The sum of a table of counts (migrations/020_list_counts.sql): how many rows a list has, without counting them.
inline Result<std::int64_t> counted(sql::Database& db, std::string_view counts, const Where& where) {
    return count_of(
        db.query("SELECT CAST(COALESCE(SUM(number), 0) AS BIGINT) FROM " + std::string(counts) + " " + where.text(),
                 where.values()));
}

// A list whose number of rows is kept: the same filter narrows the rows and their counts.
struct CountedList {
    std::string_view table;
    std::string_view columns;
    Where where;
    std::string_view counts;
    Where counts_where;
    std::int64_t limit = 0;
    std::int64_t offset = 0;
};

// One page, newest first. What an offset passes over is passed over in the index; only the page's rows are read.
template <class Page, class Read>
Result<Page> counted_page(sql::Database& db, const CountedList& list, Read read) {
    Page page;
    page.total = TRY(counted(db, list.counts, list.counts_where));
    if (list.offset >= page.total) return page;
    const std::string table(list.table);
    const std::string newest = " ORDER BY created_at DESC, id DESC";
    std::vector<sql::Value> values = list.where.values();
    const std::size_t limit_at = values.size() + 1;
    values.emplace_back(list.limit);
    values.emplace_back(list.offset);
    const std::string ids = "SELECT id FROM " + table + " " + list.where.text() + newest + " LIMIT $" +
                            std::to_string(limit_at) + " OFFSET $" + std::to_string(limit_at + 1);
    page.rows = TRY(all_rows(
        db.query("SELECT " + std::string(list.columns) + " FROM " + table + " WHERE id IN (" + ids + ")" + newest,
                 values),
        read));
    return page;
}

}  // namespace backstay::store
