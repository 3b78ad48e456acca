// Ordering a backup: the row, the operation and the job, from what people or the scheduler wish.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/orders.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"

namespace backstay::dispatch {

struct BackupWish {
    std::string scope = "full";
    std::string trigger = "manual";
    std::optional<std::string> label;
    std::string retention = "default";
    std::string performed_by;
    std::string backup_id;         // empty: a new one
    std::optional<TimeMs> due_at;  // of a schedule
};

// Destinations as orders name them before they are handed out: without their configuration.
std::vector<DestinationOrder> closed(const std::vector<store::DestinationRow>& rows);
// One destination that wants encryption has it for all of them: artifacts are written once and go everywhere.
std::vector<std::string> encrypted_for(const std::vector<store::DestinationRow>& rows);

// The order with its destinations named but closed.
BackupOrder make_backup_order(const store::Environment& environment, const BackupWish& wish,
                              const std::vector<store::DestinationRow>& destinations, std::string backup_id,
                              TimeMs now);

// Inside the caller's transaction. Answers the backup's id.
Result<std::string> order_backup(sql::Database& db, const store::Environment& environment, const BackupWish& wish,
                                 const std::vector<store::DestinationRow>& destinations, TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
