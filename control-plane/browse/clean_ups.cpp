#include "control-plane/browse/clean_ups.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/domain/copies.h"
#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/browse/removal.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/rows.h"
#include "control-plane/registry/destinations.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/rows.h"

namespace backstay::browse {
namespace {

constexpr std::int64_t kCopiesAtOnce = 1000;

// Stored copies in destination $1 of records that exist and rest, untouched since $2.
constexpr std::string_view kRestingCopies =
    " FROM copies c LEFT JOIN backups b ON b.id = c.backup_id LEFT JOIN snapshots s ON s.id = c.backup_id WHERE "
    "c.destination_id = $1 AND c.updated_at < $2 AND c.state IN ('uploaded', 'verified') AND c.object_key <> '' AND "
    "coalesce(b.deleted_at, s.deleted_at) IS NULL AND coalesce(b.status, s.status) IN ('completed', 'partial', "
    "'failed', 'cancelled')";

struct CopyAt {
    std::string record_id;
    std::string artifact;
    std::string key;
    bool is_snapshot = false;
    std::string environment_id;
};

// The folder of a host is only that host's: what others stored under the same path is not in the list. Empty: any.
Result<std::string> host_of(sql::Database& db, const ScanRow& scan) {
    const auto row = TRY(store::Destinations(db).find(scan.organization_id, scan.destination_id));
    if (!row || row->type != "local") return std::string();
    const auto agent = TRY(registry::looking_agent(db, *row));
    return agent.value_or("");
}

// Those of an organization after (record, artifact).
Result<std::vector<CopyAt>> copies_after(sql::Database& db, const ScanRow& scan, const std::string& host,
                                         const CopyAt& after, TimeMs started_at) {
    return store::all_rows(
        db.query(fmt::format("SELECT c.backup_id, c.artifact, c.object_key, s.id IS NOT NULL, "
                             "coalesce(b.environment_id, s.environment_id, ''){} AND coalesce(b.organization_id, "
                             "s.organization_id) = $3 AND (c.backup_id, c.artifact) > ($4, $5) AND ($6 = '' OR "
                             "coalesce(b.agent_id, s.agent_id) = $6) ORDER BY c.backup_id, c.artifact LIMIT $7",
                             kRestingCopies),
                 {scan.destination_id, started_at, scan.organization_id, after.record_id, after.artifact, host,
                  kCopiesAtOnce}),
        [](const sql::Statement& row) {
            return CopyAt{row.text(0), row.text(1), row.text(2), row.boolean(3), row.text(4)};
        });
}

alerts::Finding finding_of(const ScanRow& scan, std::string_view type, alerts::Severity severity, std::string title,
                           std::string message) {
    alerts::Finding finding;
    finding.type = type;
    finding.severity = severity;
    finding.subject = scan.destination_id;
    finding.title = std::move(title);
    finding.message = std::move(message);
    finding.about.destination_id = scan.destination_id;
    return finding;
}

Result<> raise(sql::Database& db, const ScanRow& scan, const alerts::Finding& finding, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db, scan.organization_id));
    TRY(alerts::Alerts(db).raise(scan.organization_id, finding, now));
    return transaction.commit();
}

// What of it is still as it was when it was found: looking again takes a while, and what is stored anew meanwhile is
// not missing.
Result<std::vector<std::string>> still_missing(sql::Database& db, const ScanRow& scan, const StaleRecord& record,
                                               TimeMs started_at) {
    auto resting = TRY(store::all_rows(db.query(fmt::format("SELECT c.artifact{} AND c.backup_id = $3", kRestingCopies),
                                                {scan.destination_id, started_at, record.id}),
                                       [](const sql::Statement& row) { return row.text(0); }));
    std::erase_if(resting, [&](const std::string& artifact) {
        return std::find(record.missing.begin(), record.missing.end(), artifact) == record.missing.end();
    });
    return resting;
}

// A snapshot lies on its host; only a backup can have lost its last copy.
Result<bool> drop_one(sql::Database& db, const ScanRow& scan, const StaleRecord& record, TimeMs started_at,
                      TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db, scan.organization_id));
    const auto missing = TRY(still_missing(db, scan, record, started_at));
    if (missing.empty()) return false;
    TRY(mark_missing(db, record.id, scan.destination_id, missing, now));
    bool gone = false;
    if (auto backup = TRY(operations::find_backup_row(db, record.id)); backup && !record.is_snapshot) {
        const auto copies = TRY(operations::copies_of(db, record.id));
        gone = std::none_of(copies.begin(), copies.end(), is_stored);
        if (gone) {
            backup->status = "deleted";
            backup->deleted_at = now;
            TRY(operations::update_backup(db, *backup));
        }
    }
    TRY(transaction.commit());
    return gone;
}

}  // namespace

TimeMs unheard_before(const ScanRow& scan, TimeMs now) { return scan.force ? now : now - kUnheardGraceMs; }

Result<StaleFound> find_stale(sql::Database& db, const ScanRow& scan, ScratchList& list, TimeMs started_at) {
    const std::string host = TRY(host_of(db, scan));
    StaleFound found;
    CopyAt last;
    while (true) {
        const auto copies = TRY(copies_after(db, scan, host, last, started_at));
        for (const CopyAt& copy : copies) {
            if (copy.record_id != last.record_id) ++found.looked_at;
            last = copy;
            if (TRY(list.has(copy.key))) continue;
            if (found.records.empty() || found.records.back().id != copy.record_id)
                found.records.push_back({copy.record_id, copy.is_snapshot, copy.environment_id, {}, {}});
            found.records.back().missing.push_back(copy.artifact);
            found.records.back().keys.push_back(copy.key);
        }
        if (std::cmp_less(copies.size(), kCopiesAtOnce)) return found;
    }
}

Result<std::vector<StaleRecord>> confirm_stale(Storage& storage, const std::vector<StaleRecord>& listed,
                                               const std::atomic<bool>& stopping) {
    std::vector<StaleRecord> gone;
    std::int64_t looked = 0;
    for (const StaleRecord& record : listed) {
        if (looked + std::ssize(record.keys) > kMostLookedAgain) break;
        StaleRecord sure{record.id, record.is_snapshot, record.environment_id, {}, {}};
        for (std::size_t i = 0; i < record.keys.size(); ++i) {
            if (stopping) return Error(Errc::cancelled, "the control plane is stopping");
            ++looked;
            const auto object = storage.stat(record.keys[i]);
            if (!object && object.error().code() != Errc::not_found) return object.error();
            if (object) continue;
            sure.missing.push_back(record.missing[i]);
            sure.keys.push_back(record.keys[i]);
        }
        if (!sure.missing.empty()) gone.push_back(std::move(sure));
    }
    return gone;
}

Result<> drop_stale(sql::Database& db, const ScanRow& scan, const std::vector<StaleRecord>& stale, TimeMs started_at,
                    TimeMs now) {
    if (stale.empty()) return {};
    std::int64_t gone = 0;
    for (const StaleRecord& record : stale) {
        if (TRY(drop_one(db, scan, record, started_at, now))) ++gone;
    }
    return raise(db, scan,
                 finding_of(scan, alerts::type::kStaleRecordsRemoved, alerts::Severity::info, "Stale records removed",
                            fmt::format("{} backups and snapshots had lost files here and do not count on this "
                                        "destination any more; {} backups had no other copy and are gone",
                                        stale.size(), gone)),
                 now);
}

Result<> raise_suspicion(sql::Database& db, const ScanRow& scan, const StaleFound& found, TimeMs now) {
    return raise(
        db, scan,
        finding_of(scan, alerts::type::kScanSuspicious, alerts::Severity::critical, "A scan misses too many files",
                   fmt::format("files of {} of {} backups and snapshots are not in the destination; is it the "
                               "right bucket, is the folder mounted? Nothing was removed",
                               found.records.size(), found.looked_at)),
        now);
}

Result<> remove_orphans(sql::Database& db, const ScanRow& scan, Storage& storage, ScratchList& list, Tally& tally,
                        TimeMs now, const std::atomic<bool>& stopping) {
    const TimeMs unheard = unheard_before(scan, now);
    const auto orphans = TRY(list.orphans_before(orphan_cutoff(scan.retention_days, now), kMostRemoved));
    std::int64_t removed = 0;
    std::int64_t kept = 0;
    std::uint64_t bytes = 0;
    for (const ObjectInfo& orphan : orphans) {
        if (stopping) return Error(Errc::cancelled, "the control plane is stopping");
        // A record may have come meanwhile, or another object under the same key.
        const Joined joined = TRY(Records(db, scan.organization_id, unheard).join(orphan));
        const auto present = storage.stat(orphan.key);
        const bool same = present && present->etag == orphan.etag && present->size_bytes == orphan.size_bytes;
        if (!joined.orphan() || !same || !storage.remove(orphan.key)) {
            ++kept;
            continue;
        }
        ++removed;
        bytes += orphan.size_bytes;
        tally.subtract_orphan(orphan.size_bytes);
    }
    log::info("orphans removed", {{"scan", scan.id}, {"removed", removed}, {"kept", kept}});
    if (removed + kept == 0) return {};
    return raise(db, scan,
                 finding_of(scan, alerts::type::kOrphansRemoved, alerts::Severity::info, "Orphaned files removed",
                            fmt::format("{} files of {} bytes were removed; {} were kept because they changed or the "
                                        "store did not let them go",
                                        removed, bytes, kept)),
                 now);
}

}  // namespace backstay::browse
