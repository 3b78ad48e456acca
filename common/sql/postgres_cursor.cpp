#include "common/sql/postgres_cursor.h"

#include <charconv>

namespace backstay::sql {
namespace {

// pg_type.oid
constexpr std::uint32_t kBool = 16;
constexpr std::uint32_t kBytea = 17;
constexpr std::uint32_t kInt8 = 20;
constexpr std::uint32_t kInt2 = 21;
constexpr std::uint32_t kInt4 = 23;
constexpr std::uint32_t kFloat4 = 700;
constexpr std::uint32_t kFloat8 = 701;
constexpr std::uint32_t kNumeric = 1700;  // sums of integers

// As SQLite reads it: the number that the text begins with.
template <class Number>
Number number(std::string_view text) {
    Number value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

Type PostgresCursor::type(int column) const {
    const auto at = static_cast<std::size_t>(column);
    if (rows_.is_null(row_ - 1, at)) return Type::null;
    switch (rows_.type(at)) {
        case kBool:
        case kInt2:
        case kInt4:
        case kInt8:
            return Type::integer;
        case kNumeric:
            return cell(column).find('.') == std::string_view::npos ? Type::integer : Type::real;
        case kFloat4:
        case kFloat8:
            return Type::real;
        case kBytea:
            return Type::blob;
        default:
            return Type::text;
    }
}

std::int64_t PostgresCursor::integer(int column) const {
    if (rows_.type(static_cast<std::size_t>(column)) == kBool) return cell(column) == "t" ? 1 : 0;
    return number<std::int64_t>(cell(column));
}

double PostgresCursor::real(int column) const { return number<double>(cell(column)); }

// "\x00ff"
Blob PostgresCursor::blob(int column) const {
    std::string_view digits = cell(column);
    if (digits.starts_with("\\x")) digits.remove_prefix(2);
    Blob bytes;
    bytes.reserve(digits.size() / 2);
    for (std::size_t at = 0; at + 1 < digits.size(); at += 2) {
        unsigned value = 0;
        std::from_chars(digits.data() + at, digits.data() + at + 2, value, 16);
        bytes.push_back(static_cast<std::byte>(value));
    }
    return bytes;
}

}  // namespace backstay::sql
