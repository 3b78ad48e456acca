// A statement in use: step through its rows, read columns by position. Destroy it before the transaction around it is
// committed, and before its Database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/sql/driver.h"

namespace backstay::sql {

class Statement {
public:
    // True: a row is there to be read. False: the end.
    Result<bool> step() { return cursor_->step(); }

    // Columns count from 0. Reading a NULL as a plain type gives 0 or "" (columns are NOT NULL unless argued).
    int columns() const { return cursor_->columns(); }
    std::string column_name(int column) const { return cursor_->column_name(column); }
    Type type(int column) const { return cursor_->type(column); }
    bool is_null(int column) const { return type(column) == Type::null; }
    std::int64_t integer(int column) const { return cursor_->integer(column); }
    bool boolean(int column) const { return integer(column) != 0; }
    double real(int column) const { return cursor_->real(column); }
    std::string text(int column) const { return cursor_->text(column); }
    Blob blob(int column) const { return cursor_->blob(column); }
    std::optional<std::int64_t> optional_integer(int column) const {
        return is_null(column) ? std::nullopt : std::optional(integer(column));
    }
    std::optional<std::string> optional_text(int column) const {
        return is_null(column) ? std::nullopt : std::optional(text(column));
    }

private:
    friend class Database;
    explicit Statement(std::unique_ptr<Cursor> cursor) : cursor_(std::move(cursor)) {}

    std::unique_ptr<Cursor> cursor_;
};

}  // namespace backstay::sql
