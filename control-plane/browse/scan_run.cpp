#include "common/log.h"
#include "common/sqlite/transaction.h"
#include "control-plane/alerts/destination_silence.h"
#include "control-plane/browse/clean_ups.h"
#include "control-plane/browse/scans.h"
#include "control-plane/browse/scratch_list.h"
#include "control-plane/browse/tally.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"

namespace backstay::browse {
namespace {

constexpr std::size_t kPageEntries = 1000;
constexpr std::size_t kShownStale = 100;

// All pages. What was listed before an error stays counted.
Result<> list_all(sqlite::Database& db, const ScanRow& scan, Storage& storage, ScratchList& list, Tally& tally,
                  const std::atomic<bool>& stopping) {
    ListQuery query;
    query.max_entries = storage.kind() == "local" ? 5 * kPageEntries : kPageEntries;
    while (true) {
        if (stopping) return Error(Errc::cancelled, "the control plane is stopping");
        auto page = TRY(storage.list(query));
        Records records(db, scan.organization_id);  // anew for each page: records come and go meanwhile
        std::vector<ScratchList::Entry> entries;
        entries.reserve(page.objects.size());
        for (ObjectInfo& object : page.objects) {
            const Joined joined = TRY(records.join(object.key));
            tally.add(object, joined);
            entries.push_back({std::move(object), joined.orphan()});
        }
        TRY(list.add(entries));
        if (page.next.empty()) return {};
        query.continue_after = std::move(page.next);
    }
}

Result<std::map<std::string, std::string>> names_of(sqlite::Database& db, const std::string& organization) {
    std::map<std::string, std::string> names;
    for (auto& [id, name] : TRY(store::all_rows(
             db.query("SELECT id, name FROM environments WHERE organization_id = $1 LIMIT 10000", {organization}),
             [](const sqlite::Statement& row) { return std::pair(row.text(0), row.text(1)); })))
        names.emplace(std::move(id), std::move(name));
    return names;
}

Result<> note_reached(sqlite::Database& db, const ScanRow& scan, const Result<>& listed, TimeMs now) {
    auto transaction = TRY(sqlite::Transaction::begin(db));
    alerts::DestinationSilences silences(db);
    if (listed) TRY(silences.end(scan.destination_id, now));
    if (!listed && listed.error().transient())
        TRY(silences.begin(scan.destination_id, storage_problem(listed.error(), scan.destination_id).message(), now));
    return transaction.commit();
}

}  // namespace

Result<> run_scan(sqlite::Database& db, const ScanRow& scan, Storage& storage, const std::string& list_file,
                  const Clock& clock, const std::atomic<bool>& stopping) {
    Tally::Outcome outcome;
    outcome.destination_id = scan.destination_id;
    outcome.started_at = clock.now_ms();
    auto list = TRY(ScratchList::open(list_file));
    Tally tally;
    const auto listed = list_all(db, scan, storage, list, tally, stopping);
    tally.end();
    TRY(note_reached(db, scan, listed, clock.now_ms()));
    outcome.status = listed ? "ok" : tally.files() > 0 ? "partial" : "failed";
    if (listed) {
        const StaleFound stale = TRY(find_stale(db, scan, list, outcome.started_at));
        outcome.stale_records = static_cast<std::int64_t>(stale.records.size());
        outcome.stale = {stale.records.begin(), stale.records.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                            stale.records.size(), kShownStale))};
        // Nothing at all: a folder that is not mounted, another bucket.
        const bool nothing = tally.files() == 0 && stale.looked_at > 0;
        if (scan.kind == ScanKind::records && (nothing || is_suspicious(outcome.stale_records, stale.looked_at))) {
            TRY(raise_suspicion(db, scan, stale, clock.now_ms()));
            outcome.error = "too many records would have gone; nothing was removed";
        } else if (scan.kind == ScanKind::records) {
            TRY(drop_stale(db, scan, stale.records, clock.now_ms()));
        }
        if (scan.kind == ScanKind::orphans)
            TRY(remove_orphans(db, scan, storage, list, tally, clock.now_ms(), stopping));
    } else {
        log::warning("destination not listed", {{"scan", scan.id}, {"error", listed.error().message()}});
        outcome.error = storage_problem(listed.error(), scan.destination_id).message();
    }
    outcome.environment_names = TRY(names_of(db, scan.organization_id));
    outcome.scanned_at = clock.now_ms();
    auto transaction = TRY(sqlite::Transaction::begin(db));
    TRY(finish_scan(db, scan, outcome.status, outcome.error, tally.analytics(outcome), outcome.scanned_at));
    return transaction.commit();
}

}  // namespace backstay::browse
