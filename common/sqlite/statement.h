// A prepared statement in use: step through its rows, read columns by position. Borrowed from its Database's cache and
// given back, reset, when it is destroyed; destroy it before the transaction around it is committed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/sqlite/value.h"

namespace backstay::sqlite {

namespace detail {
struct Connection;
struct Prepared;
}  // namespace detail

class Statement {
public:
    ~Statement();
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&& other) noexcept;

    // True: a row is there to be read. False: the end.
    Result<bool> step();

    // Columns count from 0. Reading a NULL as a plain type gives 0 or "" (columns are NOT NULL unless argued).
    int columns() const;
    std::string column_name(int column) const;
    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    bool boolean(int column) const { return integer(column) != 0; }
    double real(int column) const;
    std::string text(int column) const;
    Blob blob(int column) const;
    std::optional<std::int64_t> optional_integer(int column) const;
    std::optional<std::string> optional_text(int column) const;

    // The value's own type, as the row holds it.
    enum class Type { null, integer, real, text, blob };
    Type type(int column) const;

private:
    friend class Database;
    Statement(detail::Connection& connection, detail::Prepared& prepared)
        : connection_(&connection), prepared_(&prepared) {}
    void give_back();

    detail::Connection* connection_;
    detail::Prepared* prepared_;
};

}  // namespace backstay::sqlite
