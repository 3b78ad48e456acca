// What a verification means for the backup that it looked at: proof, or doubt (contract/semantics.md 3.3). A backup is
// verified while its evidence is clean and the last look at it found it whole.
// Inside of control-plane/operations, but for when the next look is due.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/operations/rows.h"

namespace backstay::operations {

inline constexpr std::int64_t kVerifyEveryMs = 30LL * 24 * 3600 * 1000;
inline constexpr std::int64_t kVerifyAgainMs = 24LL * 3600 * 1000;  // after one that could not be done

Result<> set_next_check(sql::Database& db, std::string_view backup_id, TimeMs at);

// A backup ended: whether that proves it, and when to look again.
Result<> settle_backup(sql::Database& db, const OperationRow& operation, TimeMs now);

// Whether one of them failed in a way that says that the content is damaged, and not only that nobody could look.
bool deny_content(const std::vector<StepRow>& steps);

Result<> settle_verification(sql::Database& db, const OperationRow& operation, TimeMs now);

}  // namespace backstay::operations
