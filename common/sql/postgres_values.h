// Values and errors between our words and PostgreSQL's. Inside common/sql only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/pq/connection.h"
#include "common/result.h"
#include "common/sql/value.h"

namespace backstay::sql {

struct TypedValues {
    std::vector<pq::Parameter> texts;
    std::vector<pq::ParameterType> types;  // unknown for NULL: it takes the type of what it stands beside
};

// invalid: a text with a NUL, which PostgreSQL would cut.
Result<TypedValues> typed_values(std::span<const Value> values);

// As PostgreSQL writes bytes: "\x00ff".
void append_bytes(std::string& out, const Blob& bytes);

// n of the highest $n in a statement; 0: it takes no values.
std::size_t highest_parameter(std::string_view sql);

// The error as SQLite would tell it: invalid for what breaks a check.
Error ours(Error error);
template <class T>
Result<T> ours(Result<T> result) {
    if (result) return result;
    return ours(std::move(result).error());
}

// The same on every replica; never 0, which stands for all.
int lock_key(std::string_view name);

}  // namespace backstay::sql
