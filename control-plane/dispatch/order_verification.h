// Ordering verifications: by people, and of every backup 30 days after it was looked at last.
#pragma once

#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/operations/history.h"

namespace backstay::dispatch {

// Inside the caller's transaction. `care`: who looks, and where. Answers the verification's id.
Result<std::string> order_verification(sql::Database& db, const operations::BackupRow& backup, const Care& care,
                                       bool drill, std::string_view performed_by, TimeMs now, Stir& stir);

// Here, and without work that somebody waits for.
Result<bool> agent_is_idle(sql::Database& db, const std::string& agent_id, TimeMs now);

// Orders what is due: one backup at a time for each agent, the longest due first, and only for agents that are here and
// have nothing better to do. Complete copies are looked at. Called by the sweep, inside its transaction.
Result<> verify_due(sql::Database& db, TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
