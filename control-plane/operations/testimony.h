// What an operation testifies, as its row holds it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::operations {

struct Testimony {
    std::string evidence;                 // JSON; empty: none yet
    std::optional<std::string> progress;  // JSON
    bool ended = false;
};

// Absent: no such operation.
Result<std::optional<Testimony>> testimony_of(sql::Database& db, std::string_view id);

}  // namespace backstay::operations
