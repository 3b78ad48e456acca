#include "common/pq/rows.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>
#include <cstdlib>

namespace backstay::pq {
namespace {

std::int64_t number_or(std::string_view text, std::int64_t other) {
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    return fault == std::errc() && end == text.data() + text.size() ? value : other;
}

}  // namespace

void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }

Rows::Rows(pg_result* result)
    : result_(result),
      size_(static_cast<std::size_t>(PQntuples(result))),
      columns_(static_cast<std::size_t>(PQnfields(result))) {}

std::string Rows::column_name(std::size_t column) const {
    const char* name = PQfname(result_.get(), static_cast<int>(column));
    return name == nullptr ? std::string() : std::string(name);
}

std::uint32_t Rows::type(std::size_t column) const { return PQftype(result_.get(), static_cast<int>(column)); }

bool Rows::is_null(std::size_t row, std::size_t column) const {
    if (row >= size() || column >= columns()) std::abort();
    return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::string_view Rows::text(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return {};
    return {PQgetvalue(result_.get(), static_cast<int>(row), static_cast<int>(column)),
            static_cast<std::size_t>(PQgetlength(result_.get(), static_cast<int>(row), static_cast<int>(column)))};
}

std::optional<std::string> Rows::optional_text(std::size_t row, std::size_t column) const {
    if (is_null(row, column)) return std::nullopt;
    return std::string(text(row, column));
}

Result<std::int64_t> Rows::integer(std::size_t row, std::size_t column) const {
    const std::string_view cell = text(row, column);
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (cell.empty() || fault != std::errc() || end != cell.data() + cell.size()) {
        return Error(Errc::invalid, fmt::format("column {} is no integer", column + 1));
    }
    return value;
}

std::int64_t Rows::affected() const { return number_or(PQcmdTuples(result_.get()), 0); }

}  // namespace backstay::pq
