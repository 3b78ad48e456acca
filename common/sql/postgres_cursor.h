// PostgreSQL's rows as the columns that SQLite would give. Inside common/sql only.
#pragma once

#include <cstddef>

#include "common/pq/rows.h"
#include "common/sql/driver.h"

namespace backstay::sql {

class PostgresCursor final : public Cursor {
public:
    explicit PostgresCursor(pq::Rows rows) : rows_(std::move(rows)) {}

    Result<bool> step() override { return ++row_ <= rows_.size(); }
    int columns() const override { return static_cast<int>(rows_.columns()); }
    std::string column_name(int column) const override { return rows_.column_name(static_cast<std::size_t>(column)); }
    Type type(int column) const override;
    std::int64_t integer(int column) const override;
    double real(int column) const override;
    std::string text(int column) const override { return std::string(cell(column)); }
    Blob blob(int column) const override;

private:
    std::string_view cell(int column) const { return rows_.text(row_ - 1, static_cast<std::size_t>(column)); }

    pq::Rows rows_;
    std::size_t row_ = 0;  // counted from 1; 0: before the first
};

}  // namespace backstay::sql
