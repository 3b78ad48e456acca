// Scans as rows: one at a time for each destination. Runs inside the caller's transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/store/destinations.h"

namespace backstay::browse {

enum class ScanKind { look, orphans, records };
// scan, cleanup_orphans, scan_cleanup
std::string_view word_of(ScanKind kind);

struct ScanWish {
    ScanKind kind = ScanKind::look;
    std::int64_t retention_days = 0;
    bool force = false;  // orphans: also of records that this side never heard of
};

struct ScanRow {
    std::string id;
    std::string organization_id;
    std::string destination_id;
    ScanKind kind = ScanKind::look;
    std::int64_t retention_days = 0;
    std::string requested_by;
    TimeMs created_at = 0;
    bool force = false;
};

// Answers its id. 409 scan_in_progress.
Result<std::string> queue_scan(sql::Database& db, const store::DestinationRow& row, const ScanWish& wish,
                               std::string_view by, TimeMs now);
// The oldest that waits, which counts as running from then on, in this process.
Result<std::optional<ScanRow>> claim_scan(sql::Database& db, std::string_view replica, TimeMs now);
Result<bool> has_queued(sql::Database& db);
// False: its replica was silent too long, and another one ended it.
Result<bool> is_running(sql::Database& db, const ScanRow& scan);
// What does not count as running any more stays as it is.
Result<> finish_scan(sql::Database& db, const ScanRow& scan, std::string_view status, std::string_view error,
                     const json::Value& analytics, TimeMs now);
// Those that run in other processes than this that are no more, or were silent too long (store/replicas.h).
Result<bool> has_interrupted(sql::Database& db, std::string_view replica, TimeMs now);
Result<> end_interrupted(sql::Database& db, std::string_view replica, TimeMs now);
// The analytics of the latest scan that has some, or null.
Result<json::Value> latest_analytics(sql::Database& db, std::string_view destination);

}  // namespace backstay::browse
