#include "control-plane/operations/counts.h"

namespace backstay::operations {

Result<OperationCounts> count_operations(sql::Database& db) {
    OperationCounts counts;
    {
        auto rows =
            TRY(db.query("SELECT kind, state, count(*) FROM jobs WHERE state <> 'finished' GROUP BY kind, state ORDER "
                         "BY kind, state"));
        while (TRY(rows.step())) counts.jobs.push_back({rows.text(0), rows.text(1), rows.integer(2)});
    }
    {
        auto rows = TRY(db.query(
            "SELECT status, CAST(SUM(number) AS BIGINT) FROM backup_counts GROUP BY status HAVING SUM(number) > 0"));
        while (TRY(rows.step())) counts.backups.emplace(rows.text(0), rows.integer(1));
    }
    {
        auto rows = TRY(db.query(
            "SELECT status, CAST(SUM(number) AS BIGINT) FROM snapshot_counts GROUP BY status HAVING SUM(number) > 0"));
        while (TRY(rows.step())) counts.snapshots.emplace(rows.text(0), rows.integer(1));
    }
    auto rows = TRY(db.query(
        "SELECT environment_id, scope, max(completed_at) FROM backups WHERE deleted_at IS NULL AND environment_id IS "
        "NOT "
        "NULL AND status IN ('completed', 'partial') GROUP BY environment_id, scope ORDER BY environment_id, scope"));
    while (TRY(rows.step())) counts.last_backups.push_back({rows.text(0), rows.text(1), rows.integer(2)});
    return counts;
}

}  // namespace backstay::operations
