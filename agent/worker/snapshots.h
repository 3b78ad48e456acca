// What the worker does about snapshots by itself: clears away what never became whole, and removes what was asked for
// on this host when its time is over.
#pragma once

#include <optional>

#include "agent/worker/settings.h"
#include "common/sqlite/database.h"

namespace backstay {

// At the start, before any job: snapshots that were being taken under the last process. What cannot be removed now is
// tried again at the next start.
Result<> clear_unfinished_snapshots(sqlite::Database& database, const Settings& settings);

// Removes those that are older than snapshot_keep_days and no base of one that is kept, from the host and from the
// destinations of the configuration. Answers when to look again; nullopt: there is none.
Result<std::optional<TimeMs>> prune_snapshots(sqlite::Database& database, const Settings& settings);

}  // namespace backstay
