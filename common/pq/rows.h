// What a query answered: text cells in rows and columns, held until the object goes. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

struct pg_result;

namespace backstay::pq {

class Rows {
public:
    explicit Rows(pg_result* result);

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::size_t columns() const { return columns_; }
    std::string column_name(std::size_t column) const;
    // pg_type.oid
    std::uint32_t type(std::size_t column) const;
    bool is_null(std::size_t row, std::size_t column) const;
    // Empty for NULL. The view lives as long as these rows. Out of range is a bug and aborts.
    std::string_view text(std::size_t row, std::size_t column) const;
    std::optional<std::string> optional_text(std::size_t row, std::size_t column) const;
    // NULL and what is no integer are `invalid`.
    Result<std::int64_t> integer(std::size_t row, std::size_t column) const;
    bool boolean(std::size_t row, std::size_t column) const { return text(row, column) == "t"; }
    // Rows that an INSERT, UPDATE, DELETE … changed.
    std::int64_t affected() const;

private:
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
    std::size_t size_;
    std::size_t columns_;
};

}  // namespace backstay::pq
