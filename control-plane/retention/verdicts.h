// Which backups of an environment stay, by which tiers, and why the others may go. The preview and the real prune both
// ask here, so that they cannot disagree. Inside the caller's transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/domain/retention.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/store/schedules.h"

namespace backstay::retention {

// What is made by hand lives so long, unless it is permanent (contract/semantics.md 3.5).
inline constexpr TimeMs kByHandMs = 30LL * 24 * 3600 * 1000;

// Whether backups go by themselves: neither without an enabled schedule nor while it is paused.
bool prunes(const store::Schedule& schedule);

// The policy of these numbers in the schedule's time zone; `invalid` with the reasons of resolve().
Result<Policy> policy_of(const store::Schedule& schedule, const Numbers& numbers);

struct BackupVerdict {
    std::string backup_id;
    std::string scope;   // db, full, base
    std::string status;  // what is being deleted already does not appear
    TimeMs created_at = 0;
    std::int64_t size_bytes = 0;
    bool keep = true;
    std::vector<Tier> tiers;  // those that keep it
    std::string reason;       // "code: text"; for what goes, one of the contract's codes
};

// All backups of the environment, oldest first.
Result<std::vector<BackupVerdict>> judge_backups(sql::Database& db, std::string_view environment_id,
                                                 const Policy& policy, TimeMs now);

}  // namespace backstay::retention
