#include "control-plane/store/audit.h"

#include <limits>

#include "control-plane/store/rows.h"

namespace backstay::store {
namespace {

constexpr TimeMs kHourMs = 3'600'000;

constexpr const char* kWhere =
    "WHERE organization_id = $1 AND ($2 = '' OR object_id = $2 OR "
    "object_id IN (SELECT id FROM environments WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM backups WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM snapshots WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM api_keys WHERE project_id = $2) OR "
    "object_id IN (SELECT id FROM operations WHERE environment_id IN "
    "(SELECT id FROM environments WHERE project_id = $2))) AND ($3 = '' OR actor = $3) AND "
    "($4 = '' OR action = $4 OR substr(action, 1, length($4) + 1) = $4 || '.') AND ($5 = '' OR object_id = $5) AND "
    "at >= $6 AND at < $7";

AuditEntry entry_of(const sql::Statement& row) {
    AuditEntry entry;
    entry.id = row.integer(0);
    entry.organization_id = row.text(1);
    entry.at = row.integer(2);
    entry.actor = row.text(3);
    entry.actor_id = row.text(4);
    entry.action = row.text(5);
    entry.object_id = row.text(6);
    entry.detail = row.text(7);
    entry.request_id = row.text(8);
    entry.request = row.text(9);
    entry.peer = row.text(10);
    entry.status = row.optional_integer(11);
    return entry;
}

}  // namespace

std::string peer_address(const std::string& peer) {
    return peer.starts_with("unix:") ? peer : peer.substr(0, peer.rfind(':'));
}

Result<> Audit::add(const AuditEntry& entry) {
    TRY(
        db_.run("INSERT INTO audit (organization_id, at, actor, actor_id, action, object_id, detail, request_id, "
                "request, peer, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                {entry.organization_id, entry.at, entry.actor, entry.actor_id, entry.action, entry.object_id,
                 entry.detail, entry.request_id, entry.request, entry.peer, entry.status}));
    return {};
}

Result<> Audit::add_hourly(const AuditEntry& entry) {
    const auto before = TRY(count_of(
        db_.query("SELECT EXISTS (SELECT 1 FROM audit WHERE organization_id = $1 AND actor = $2 AND action = $3 AND at "
                  "> $4 AND object_id = $5 AND detail = $6 AND peer = $7 AND request = $8)",
                  {entry.organization_id, entry.actor, entry.action, entry.at - kHourMs, entry.object_id, entry.detail,
                   entry.peer, entry.request})));
    return before == 0 ? add(entry) : Result<>();
}

Result<> Audit::add_refusal(const AuditEntry& entry) {
    const auto before = TRY(count_of(
        db_.query("SELECT COUNT(*) FROM audit WHERE organization_id = $1 AND actor = $2 AND action = $3 AND at > $4",
                  {entry.organization_id, entry.actor, entry.action, entry.at - kHourMs})));
    return before < kMostRefusals ? add_hourly(entry) : Result<>();
}

Result<Listing<AuditEntry>> Audit::list(const AuditFilter& filter, const Page& page) {
    const TimeMs until = filter.until.value_or(std::numeric_limits<TimeMs>::max());
    const std::string where = kWhere;
    Listing<AuditEntry> listing;
    listing.total = TRY(count_of(
        db_.query("SELECT COUNT(*) FROM audit " + where, {filter.organization_id, filter.project_id, filter.actor,
                                                          filter.action, filter.object_id, filter.since, until})));
    listing.items =
        TRY(all_rows(db_.query("SELECT id, organization_id, at, actor, actor_id, action, object_id, detail, "
                               "request_id, request, peer, status FROM audit " +
                                   where + " ORDER BY id DESC LIMIT $8 OFFSET $9",
                               {filter.organization_id, filter.project_id, filter.actor, filter.action,
                                filter.object_id, filter.since, until, page.limit, page.offset}),
                     entry_of));
    return listing;
}

Result<std::int64_t> Audit::last() { return count_of(db_.query("SELECT COALESCE(MAX(id), 0) FROM audit")); }

Result<bool> Audit::has_since(std::int64_t after, std::string_view request_id) {
    return TRY(count_of(db_.query("SELECT EXISTS (SELECT 1 FROM audit WHERE id > $1 AND request_id = $2)",
                                  {after, request_id}))) != 0;
}

Result<std::int64_t> Audit::forget(TimeMs before, std::int64_t most) {
    TRY(db_.run("UPDATE audit_forgetting SET before = $1", {before}));
    return db_.run("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 LIMIT $2)", {before, most});
}

}  // namespace backstay::store
