#include "control-plane/operations/public_listing.h"

#include <fmt/format.h>

#include "control-plane/store/rows.h"
#include "control-plane/store/where.h"

namespace backstay::operations {
namespace {

// Behind each stands a WHERE of rows, and around it one of what is shown of them. What is partial can be used when its
// database was proven in one place at least; a snapshot lies on its own host.
constexpr std::string_view kBackups =
    "SELECT id, 0 AS is_snapshot, created_at, CASE WHEN status <> 'partial' THEN status WHEN EXISTS (SELECT 1 FROM "
    "copies WHERE backup_id = backups.id AND artifact = 'db' AND state = 'verified') THEN 'completed' ELSE 'failed' "
    "END AS shown, CASE WHEN trigger_kind IN ('scheduled', 'pre_deploy') THEN trigger_kind ELSE 'manual' END AS type, "
    "CASE WHEN verified_at IS NULL THEN 0 ELSE 1 END AS verified FROM backups {} AND scope <> 'base'";
constexpr std::string_view kSnapshots =
    "SELECT id, 1 AS is_snapshot, created_at, CASE WHEN status <> 'partial' THEN status WHEN database_file IS NOT NULL "
    "THEN 'completed' ELSE 'failed' END AS shown, 'pre_deploy' AS type, CASE WHEN status = 'completed' THEN 1 ELSE 0 "
    "END AS verified FROM snapshots {} AND trigger_kind = 'pre_deploy'";

// The same of their counts: whether a partial one can be used is seen in its row alone.
constexpr std::string_view kCounts =
    "SELECT status AS shown, CASE WHEN trigger_kind IN ('scheduled', 'pre_deploy') THEN trigger_kind ELSE 'manual' END "
    "AS type, is_verified AS verified, number FROM backup_counts {0} AND scope <> 'base' UNION ALL SELECT status, "
    "'pre_deploy', CASE WHEN status = 'completed' THEN 1 ELSE 0 END, number FROM snapshot_counts {0} AND trigger_kind "
    "= 'pre_deploy'";

PublicBackup read_row(const sql::Statement& row) {
    return {row.text(0), row.integer(1) != 0, row.text(2), row.text(3)};
}

store::Where of_environment(std::string_view condition, const PublicFilter& filter) {
    store::Where where(condition);
    return where.is("organization_id", filter.organization_id).is("environment_id", filter.environment_id);
}

// `before`: a WHERE of rows; they all have the same values.
store::Where as_shown(const PublicFilter& filter, const store::Where& before) {
    std::optional<std::int64_t> verified;
    if (filter.verified) verified = *filter.verified ? 1 : 0;
    store::Where where("true", before);
    return where.is("shown", filter.status).is("type", filter.type).is("verified", verified);
}

Result<std::int64_t> total_of(sql::Database& db, const PublicFilter& filter) {
    const store::Where counts = of_environment("status NOT IN ('deleting', 'partial')", filter);
    const std::string partial = of_environment("deleted_at IS NULL AND status = 'partial'", filter).text();
    const store::Where shown = as_shown(filter, counts);
    return store::count_of(db.query(
        fmt::format("SELECT CAST((SELECT COALESCE(SUM(number), 0) FROM ({0}) AS counts {3}) + (SELECT COUNT(*) "
                    "FROM ({1}) AS backups {3}) + (SELECT COUNT(*) FROM ({2}) AS snapshots {3}) AS BIGINT)",
                    fmt::format(kCounts, counts.text()), fmt::format(kBackups, partial),
                    fmt::format(kSnapshots, partial), shown.text()),
        shown.values()));
}

// The newest of each kind, and of those the page.
Result<std::vector<PublicBackup>> page_of(sql::Database& db, const PublicFilter& filter) {
    const store::Where rows = of_environment("deleted_at IS NULL AND status <> 'deleting'", filter);
    const store::Where shown = as_shown(filter, rows);
    std::vector<sql::Value> values = shown.values();
    values.emplace_back(filter.limit + filter.offset);
    const auto newest = [&](std::string_view kind) {
        return fmt::format(
            "SELECT * FROM (SELECT * FROM ({}) AS kind {} ORDER BY created_at DESC, id DESC LIMIT ${}) AS "
            "newest",
            fmt::format(fmt::runtime(kind), rows.text()), shown.text(), values.size());
    };
    return store::newest_rows(db, "id, is_snapshot, shown, type",
                              fmt::format("FROM ({} UNION ALL {}) AS listed", newest(kBackups), newest(kSnapshots)),
                              values, filter.limit, filter.offset, read_row);
}

}  // namespace

Result<PublicPage> list_public(sql::Database& db, const PublicFilter& filter) {
    PublicPage page;
    page.total = TRY(total_of(db, filter));
    if (filter.offset < page.total) page.rows = TRY(page_of(db, filter));
    return page;
}

Result<std::optional<PublicBackup>> find_public(sql::Database& db, std::string_view organization_id,
                                                std::string_view id) {
    store::Where row("deleted_at IS NULL AND status <> 'deleting'");
    row.is("organization_id", organization_id).is("id", id);
    return store::first_row(
        db.query(fmt::format("SELECT id, is_snapshot, shown, type FROM ({} UNION ALL {}) AS found",
                             fmt::format(kBackups, row.text()), fmt::format(kSnapshots, row.text())),
                 row.values()),
        read_row);
}

}  // namespace backstay::operations
