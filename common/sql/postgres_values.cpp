#include "common/sql/postgres_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/hex.h"
#include "common/sql/database.h"

namespace backstay::sql {
namespace {

using pq::ParameterType;

struct Typed {
    pq::Parameter text;
    ParameterType type = ParameterType::unknown;
};

std::string text_of(const Blob& bytes) {
    std::string out;
    out.reserve(2 + bytes.size() * 2);
    append_bytes(out, bytes);
    return out;
}

Result<Typed> typed(const Value& value) {
    struct Reader {
        Result<Typed> operator()(std::monostate /*null*/) const { return Typed(); }
        Result<Typed> operator()(std::int64_t number) const {
            return Typed{std::to_string(number), ParameterType::int8};
        }
        Result<Typed> operator()(double number) const {
            return Typed{fmt::format("{}", number), ParameterType::float8};
        }
        Result<Typed> operator()(std::string_view text) const {
            if (text.find('\0') != std::string_view::npos) return Error(Errc::invalid, "a text with a NUL");
            return Typed{std::string(text), ParameterType::text};
        }
        Result<Typed> operator()(const Blob* bytes) const { return Typed{text_of(*bytes), ParameterType::bytea}; }
    };
    return std::visit(Reader{}, value.held());
}

}  // namespace

void append_bytes(std::string& out, const Blob& bytes) {
    out += "\\x";
    append_hex(out, bytes);
}

Result<TypedValues> typed_values(std::span<const Value> values) {
    TypedValues out;
    out.texts.reserve(values.size());
    out.types.reserve(values.size());
    for (const Value& value : values) {
        Typed one = TRY(typed(value));
        out.texts.push_back(std::move(one.text));
        out.types.push_back(one.type);
    }
    return out;
}

std::size_t highest_parameter(std::string_view sql) {
    std::size_t highest = 0;
    for (std::size_t at = sql.find('$'); at != std::string_view::npos; at = sql.find('$', at + 1)) {
        std::size_t number = 0;
        std::from_chars(sql.data() + at + 1, sql.data() + sql.size(), number);
        highest = std::max(highest, number);
    }
    return highest;
}

Error ours(Error error) {
    const std::string_view code = sqlstate_of(error);
    // Only what the values themselves are to blame for; a missing right or table is a fault of the store.
    const bool wrong = code == "23502" || code == "23514" || code.starts_with("22");
    const bool passes = code.starts_with("40");  // a deadlock, say
    if (!wrong && !passes) return error;
    Error told(wrong ? Errc::invalid : Errc::unavailable, error.message());
    for (const auto& [name, value] : error.facts()) told.add_fact(name, value);
    return told;
}

int lock_key(std::string_view name) {
    // FNV-1a
    std::uint32_t hash = 2166136261U;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    const int key = static_cast<int>(hash);
    return key == 0 ? 1 : key;
}

}  // namespace backstay::sql
