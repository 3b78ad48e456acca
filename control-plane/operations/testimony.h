// What an operation testifies, as its row holds it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::operations {

struct Testimony {
    std::string evidence;                 // JSON; empty: none yet
    std::optional<std::string> progress;  // JSON
    bool ended = false;
};

// From the columns evidence, progress and phase, in this order.
Testimony read_testimony(const sql::Statement& row, int first);

// Of several operations, by id.
Result<std::map<std::string, Testimony>> testimonies_of(sql::Database& db, const std::vector<std::string>& ids);

}  // namespace backstay::operations
