// Restore drills among the verifications: those whose plan restores.
#pragma once

#include <optional>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/operations/listing.h"

namespace backstay::operations {

inline constexpr std::string_view kDrillSchedule = "schedule";  // who ordered those that come by themselves

bool is_drill(const OperationRow& operation);

// One waits or runs for this environment.
Result<bool> drill_runs(sql::Database& db, std::string_view environment_id);
Result<std::optional<TimeMs>> last_passed_drill(sql::Database& db, std::string_view environment_id);
// Newest first.
Result<OperationPage> list_drills(sql::Database& db, std::string_view organization_id, std::string_view environment_id,
                                  std::int64_t limit, std::int64_t offset);

}  // namespace backstay::operations
