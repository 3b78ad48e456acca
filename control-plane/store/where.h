// The WHERE of a list whose filters may be absent. Only those that are there stand in it: `$2 IS NULL OR column = $2`
// would keep the store from every index.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/sql/value.h"

namespace backstay::store {

// NULL for "", which filters nothing. The text is borrowed.
inline sql::Value given(std::string_view text) { return text.empty() ? sql::Value(nullptr) : sql::Value(text); }

class Where {
public:
    explicit Where(std::string_view condition) : text_("WHERE ") { text_.append(condition); }
    // One more WHERE of the same statement: its values come after those of `before`.
    Where(std::string_view condition, const Where& before) : Where(condition) { values_ = before.values_; }

    // "column = " before the value; nothing when the value is NULL, as that of an empty optional.
    Where& is(std::string_view column, const sql::Value& value) {
        return holds(std::string(column) + " = $", value, "");
    }
    // The same with other words around the value's place.
    Where& holds(std::string_view before, const sql::Value& value, std::string_view after) {
        if (std::holds_alternative<std::monostate>(value.held())) return *this;
        values_.push_back(value);
        text_.append(" AND ").append(before).append(std::to_string(values_.size())).append(after);
        return *this;
    }

    const std::string& text() const { return text_; }
    // $1…; texts are borrowed from whoever gave them.
    const std::vector<sql::Value>& values() const { return values_; }

private:
    std::string text_;
    std::vector<sql::Value> values_;
};

}  // namespace backstay::store
