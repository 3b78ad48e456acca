#include "control-plane/store/audit.h"

#include "control-plane/store/rows.h"

namespace backstay::store {

Result<> Audit::add(const AuditEntry& entry) {
    TRY(db_.run(
        "INSERT INTO audit (organization_id, at, actor, action, object_id, detail, request_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        {entry.organization_id, entry.at, entry.actor, entry.action, entry.object_id, entry.detail, entry.request_id}));
    return {};
}

Result<Listing<AuditEntry>> Audit::list(std::string_view organization, const Page& page, std::string_view project) {
    const std::string where =
        "WHERE organization_id = $1 AND ($2 = '' OR object_id = $2 OR "
        "object_id IN (SELECT id FROM environments WHERE project_id = $2) OR "
        "object_id IN (SELECT id FROM backups WHERE project_id = $2) OR "
        "object_id IN (SELECT id FROM snapshots WHERE project_id = $2) OR "
        "object_id IN (SELECT id FROM api_keys WHERE project_id = $2) OR "
        "object_id IN (SELECT id FROM operations WHERE environment_id IN "
        "(SELECT id FROM environments WHERE project_id = $2)))";
    Listing<AuditEntry> listing;
    listing.total = TRY(count_of(db_.query("SELECT COUNT(*) FROM audit " + where, {organization, project})));
    listing.items = TRY(
        all_rows(db_.query("SELECT id, organization_id, at, actor, action, object_id, detail, request_id FROM audit " +
                               where + " ORDER BY id DESC LIMIT $3 OFFSET $4",
                           {organization, project, page.limit, page.offset}),
                 [](const sqlite::Statement& row) {
                     return AuditEntry{row.integer(0), row.text(1), row.integer(2), row.text(3),
                                       row.text(4),    row.text(5), row.text(6),    row.text(7)};
                 }));
    return listing;
}

}  // namespace backstay::store
