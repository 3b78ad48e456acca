// Restore drills: the newest backup of an environment is restored on trial by its agent (agent/jobs/restore/drill.h),
// when somebody asks, and as often as the environment's settings say.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/environments.h"

namespace backstay::dispatch {

inline constexpr std::int64_t kDrillDaysMost = 365;

struct OrderedDrill {
    std::string id;  // the verification's
    std::string backup_id;
};
// Inside the caller's transaction. conflict with reason drill_running (one waits or runs for this environment) or
// no_backup (none lies whole where its agent reaches it).
Result<OrderedDrill> order_drill(sql::Database& db, const store::Environment& environment,
                                 std::string_view performed_by, TimeMs now, Stir& stir);

// 0 days: no drills by themselves. What was due stays due.
Result<> set_drills(sql::Database& db, const store::Environment& environment, std::int64_t every_days, TimeMs now);

// Orders what is due, for agents that are here and idle. Called by the sweep, inside its transaction.
Result<> drills_due(sql::Database& db, TimeMs now, Stir& stir);

// Raises drill_overdue where no drill passed for 1.5 times the interval; alerts whose cause is over are resolved.
Result<> watch_drills(sql::Database& db, TimeMs now);

}  // namespace backstay::dispatch
