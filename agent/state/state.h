// The agent's memory: one SQLite file, opened by each thread for itself. Whatever a job testifies is on disk before the
// job goes on, together with the report about it (one transaction).
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "common/sqlite/database.h"

namespace backstay {

// The reason of an error that no second start mends: somebody must.
inline constexpr std::string_view kStateUnusable = "state_unusable";

// Opens, and brings to the newest schema, `<state_dir>/agent.db`. A damaged file is `corrupted` and is left as it is.
Result<sqlite::Database> open_state(const std::string& state_dir);

}  // namespace backstay
