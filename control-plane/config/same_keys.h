// All replicas of one store must have the same secrets.key and check tokens by the same key: the store keeps a
// fingerprint of each.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/config/settings.h"

namespace backstay {

// The first replica leaves its fingerprints. `conflict` when this one has another secrets.key, for which there is no
// way out, or checks tokens by another key while other replicas live. On SQLite there is one process, and nothing is
// kept.
Result<> check_same_keys(sql::Database& db, const Settings& settings, TimeMs now);

}  // namespace backstay
