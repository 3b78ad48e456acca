#include "control-plane/browse/scan_rows.h"

#include <fmt/format.h>

#include "common/ids.h"
#include "control-plane/api/answer.h"
#include "control-plane/store/replicas.h"
#include "control-plane/store/rows.h"

namespace backstay::browse {
namespace {

constexpr int kKeptScans = 20;  // of one destination

// Of other processes than $1, of which none since $2 was heard.
constexpr std::string_view kInterrupted =
    "state = 'running' AND replica_id <> $1 AND NOT EXISTS (SELECT 1 FROM replicas p WHERE p.id = "
    "storage_scans.replica_id AND p.seen_at > $2)";

ScanKind kind_from(std::string_view word) {
    if (word == word_of(ScanKind::orphans)) return ScanKind::orphans;
    return word == word_of(ScanKind::records) ? ScanKind::records : ScanKind::look;
}

}  // namespace

std::string_view word_of(ScanKind kind) {
    switch (kind) {
        case ScanKind::orphans:
            return "cleanup_orphans";
        case ScanKind::records:
            return "scan_cleanup";
        case ScanKind::look:
            break;
    }
    return "scan";
}

Result<std::string> queue_scan(sql::Database& db, const store::DestinationRow& row, const ScanWish& wish,
                               std::string_view by, TimeMs now) {
    const std::string id = new_ordered_uuid();
    auto queued = db.run(
        "INSERT INTO storage_scans (id, organization_id, destination_id, kind, retention_days, state, requested_by, "
        "created_at, force) VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8)",
        {id, row.organization_id, row.id, word_of(wish.kind), wish.retention_days, by, now, wish.force});
    if (!queued && queued.error().code() == Errc::conflict)
        return api::conflict("scan_in_progress", "a scan or a clean-up of this destination is queued or running");
    TRY(std::move(queued));
    TRY(
        db.run("DELETE FROM storage_scans WHERE destination_id = $1 AND state = 'finished' AND id NOT IN (SELECT id "
               "FROM storage_scans WHERE destination_id = $1 AND state = 'finished' ORDER BY analytics IS NULL, "
               "finished_at DESC LIMIT $2)",
               {row.id, kKeptScans}));
    return id;
}

Result<std::optional<ScanRow>> claim_scan(sql::Database& db, std::string_view replica, TimeMs now) {
    auto scan = TRY(store::first_row(
        db.query("SELECT id, organization_id, destination_id, kind, retention_days, requested_by, created_at, force "
                 "FROM storage_scans WHERE state = 'queued' ORDER BY created_at, id LIMIT 1"),
        [](const sql::Statement& row) {
            return ScanRow{row.text(0),    row.text(1), row.text(2),    kind_from(row.text(3)),
                           row.integer(4), row.text(5), row.integer(6), row.boolean(7)};
        }));
    if (scan)
        TRY(db.run("UPDATE storage_scans SET state = 'running', started_at = $2, replica_id = $3 WHERE id = $1",
                   {scan->id, now, replica}));
    return scan;
}

Result<bool> has_queued(sql::Database& db) {
    return TRY(store::count_of(db.query("SELECT count(*) FROM storage_scans WHERE state = 'queued'"))) > 0;
}

Result<bool> is_running(sql::Database& db, const ScanRow& scan) {
    return TRY(store::count_of(
               db.query("SELECT count(*) FROM storage_scans WHERE id = $1 AND state = 'running'", {scan.id}))) > 0;
}

Result<> finish_scan(sql::Database& db, const ScanRow& scan, std::string_view status, std::string_view error,
                     const json::Value& analytics, TimeMs now) {
    std::optional<std::string> text;
    if (!analytics.is_null()) text = json::serialize(analytics);
    TRY(
        db.run("UPDATE storage_scans SET state = 'finished', status = $2, error = $3, analytics = $4, finished_at = $5 "
               "WHERE id = $1 AND state = 'running'",
               {scan.id, status, error, text, now}));
    return {};
}

Result<bool> has_interrupted(sql::Database& db, std::string_view replica, TimeMs now) {
    return TRY(store::count_of(db.query(fmt::format("SELECT count(*) FROM storage_scans WHERE {}", kInterrupted),
                                        {replica, now - store::kReplicaSilentMs}))) > 0;
}

Result<> end_interrupted(sql::Database& db, std::string_view replica, TimeMs now) {
    TRY(db.run(fmt::format("UPDATE storage_scans SET state = 'finished', status = 'failed', error = 'the control plane "
                           "was restarted meanwhile', finished_at = $3 WHERE {}",
                           kInterrupted),
               {replica, now - store::kReplicaSilentMs, now}));
    return {};
}

Result<json::Value> latest_analytics(sql::Database& db, std::string_view destination) {
    const auto text = TRY(store::first_row(
        db.query("SELECT analytics FROM storage_scans WHERE destination_id = $1 AND state = 'finished' AND analytics "
                 "IS NOT NULL ORDER BY finished_at DESC, id DESC LIMIT 1",
                 {destination}),
        [](const sql::Statement& row) { return row.text(0); }));
    if (!text) return json::Value();
    return json::parse(*text);
}

}  // namespace backstay::browse
