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

Result<Listing<AuditEntry>> Audit::list(std::string_view organization, const Page& page) {
    Listing<AuditEntry> listing;
    listing.total = TRY(count_of(db_.query("SELECT COUNT(*) FROM audit WHERE organization_id = $1", {organization})));
    listing.items = TRY(
        all_rows(db_.query("SELECT id, organization_id, at, actor, action, object_id, detail, request_id FROM audit "
                           "WHERE organization_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3",
                           {organization, page.limit, page.offset}),
                 [](const sqlite::Statement& row) {
                     return AuditEntry{row.integer(0), row.text(1), row.integer(2), row.text(3),
                                       row.text(4),    row.text(5), row.text(6),    row.text(7)};
                 }));
    return listing;
}

}  // namespace backstay::store
