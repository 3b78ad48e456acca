#include "control-plane/operations/public_listing.h"

#include <fmt/format.h>

#include "control-plane/store/rows.h"
#include "control-plane/store/where.h"

namespace backstay::operations {
namespace {

// Both take the same WHERE. What is partial can be used when its database was proven in one place at least; a snapshot
// lies on its own host.
constexpr std::string_view kListed =
    "FROM (SELECT id, 0 AS is_snapshot, created_at, CASE WHEN status <> 'partial' THEN status WHEN EXISTS (SELECT 1 "
    "FROM copies WHERE backup_id = backups.id AND artifact = 'db' AND state = 'verified') THEN 'completed' ELSE "
    "'failed' END AS shown, CASE WHEN trigger_kind IN ('scheduled', 'pre_deploy') THEN trigger_kind ELSE 'manual' END "
    "AS type, CASE WHEN verified_at IS NULL THEN 0 ELSE 1 END AS verified FROM backups {0} AND scope <> 'base' UNION "
    "ALL SELECT id, 1, created_at, CASE WHEN status <> 'partial' THEN status WHEN database_file IS NOT NULL THEN "
    "'completed' ELSE 'failed' END, 'pre_deploy', CASE WHEN status = 'completed' THEN 1 ELSE 0 END FROM snapshots {0} "
    "AND trigger_kind = 'pre_deploy') AS listed {1}";

PublicBackup read_row(const sql::Statement& row) {
    return {row.text(0), row.integer(1) != 0, row.text(2), row.text(3)};
}

}  // namespace

Result<PublicPage> list_public(sql::Database& db, const PublicFilter& filter) {
    std::optional<std::int64_t> verified;
    if (filter.verified) verified = *filter.verified ? 1 : 0;
    store::Where row("deleted_at IS NULL AND status <> 'deleting'");
    row.is("organization_id", filter.organization_id).is("environment_id", filter.environment_id).is("id", filter.id);
    store::Where shown("true", row);
    shown.is("shown", filter.status).is("type", filter.type).is("verified", verified);
    return store::newest_page<PublicPage>(db, "id, is_snapshot, shown, type",
                                          fmt::format(kListed, row.text(), shown.text()), shown.values(), filter.limit,
                                          filter.offset, read_row);
}

}  // namespace backstay::operations
