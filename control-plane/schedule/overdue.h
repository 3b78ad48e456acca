// Backups that should be there by now and are not: what nobody tells comes from the control plane's clock.
#pragma once

#include <optional>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/store/schedules.h"

namespace backstay::schedule {

// The longest time between two of the next runs; absent: it runs once at most.
std::optional<std::int64_t> longest_gap_ms(const store::Cadence& cadence, const std::string& time_zone, TimeMs now);

// Raises backup_overdue where no backup that can be restored is newer than 1.5 times the cadence, counted from the last
// change of the schedule at the earliest; alerts whose cause is over are resolved. Inside the caller's transaction.
Result<> watch_overdue(sql::Database& db, TimeMs now);

}  // namespace backstay::schedule
