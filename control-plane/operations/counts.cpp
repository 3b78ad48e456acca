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
    // For each the end of an index: a million backups are not to be looked at whenever metrics are asked for.
    auto rows = TRY(db.query(
        "SELECT id, scope, last FROM (SELECT e.id, s.scope, (SELECT max(b.completed_at) FROM backups b WHERE "
        "b.environment_id = e.id AND b.scope = s.scope AND b.deleted_at IS NULL AND b.status IN ('completed', "
        "'partial')) AS last FROM environments e CROSS JOIN (SELECT 'base' AS scope UNION ALL SELECT 'db' UNION ALL "
        "SELECT 'full') s) newest WHERE last IS NOT NULL ORDER BY id, scope"));
    while (TRY(rows.step())) counts.last_backups.push_back({rows.text(0), rows.text(1), rows.integer(2)});
    return counts;
}

}  // namespace backstay::operations
