#include "control-plane/operations/public_listing.h"

#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

// What is partial can be used when its database was proven in one place at least; a snapshot lies on its own host.
constexpr std::string_view kFrom =
    "FROM (SELECT id, 0 AS is_snapshot, created_at, CASE WHEN status <> 'partial' THEN status WHEN EXISTS (SELECT 1 "
    "FROM "
    "copies WHERE backup_id = backups.id AND artifact = 'db' AND state = 'verified') THEN 'completed' ELSE 'failed' "
    "END "
    "AS shown, CASE WHEN trigger_kind IN ('scheduled', 'pre_deploy') THEN trigger_kind ELSE 'manual' END AS type, CASE "
    "WHEN verified_at IS NULL THEN 0 ELSE 1 END AS verified FROM backups WHERE organization_id = $1 AND ($2 = '' OR "
    "environment_id = $2) AND ($3 = '' OR id = $3) AND deleted_at IS NULL AND status <> 'deleting' AND scope <> 'base' "
    "UNION ALL SELECT id, 1, created_at, CASE WHEN status <> 'partial' THEN status WHEN database_file IS NOT NULL THEN "
    "'completed' ELSE 'failed' END, 'pre_deploy', CASE WHEN status = 'completed' THEN 1 ELSE 0 END FROM snapshots "
    "WHERE "
    "organization_id = $1 AND ($2 = '' OR environment_id = $2) AND ($3 = '' OR id = $3) AND deleted_at IS NULL AND "
    "status <> 'deleting' AND trigger_kind = 'pre_deploy') AS listed WHERE ($4 IS NULL OR shown = $4) AND ($5 IS NULL "
    "OR "
    "type = $5) AND ($6 IS NULL OR verified = $6)";

PublicBackup read_row(const sqlite::Statement& row) {
    return {row.text(0), row.integer(1) != 0, row.text(2), row.text(3)};
}

}  // namespace

Result<PublicPage> list_public(sqlite::Database& db, const PublicFilter& filter) {
    std::optional<std::int64_t> verified;
    if (filter.verified) verified = *filter.verified ? 1 : 0;
    return store::newest_page<PublicPage>(
        db, "id, is_snapshot, shown, type", kFrom,
        {filter.organization_id, filter.environment_id, filter.id, filter.status, filter.type, verified}, filter.limit,
        filter.offset, read_row);
}

}  // namespace backstay::operations
