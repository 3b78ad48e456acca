#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/alerts/destination_silence.h"
#include "control-plane/browse/clean_ups.h"
#include "control-plane/browse/listing_guard.h"
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
Result<> list_all(sql::Database& db, const ScanRow& scan, Storage& storage, ScratchList& list, Tally& tally, TimeMs now,
                  const std::atomic<bool>& stopping) {
    ListQuery query;
    query.max_entries = storage.kind() == "local" ? 5 * kPageEntries : kPageEntries;
    ListingGuard guard;
    while (true) {
        if (stopping) return Error(Errc::cancelled, "the control plane is stopping");
        auto page = TRY(storage.list(query));
        TRY(guard.check(query, page));
        Records records(db, scan.organization_id,
                        unheard_before(scan, now));  // anew for each page: records come and go meanwhile
        std::vector<ScratchList::Entry> entries;
        entries.reserve(page.objects.size());
        for (ObjectInfo& object : page.objects) {
            const Joined joined = TRY(records.join(object));
            tally.add(object, joined);
            entries.push_back({std::move(object), joined.orphan()});
        }
        TRY(list.add(entries));
        if (page.next.empty()) return {};
        query.continue_after = std::move(page.next);
    }
}

void tell(Tally::Outcome& outcome, const std::vector<StaleRecord>& stale) {
    outcome.stale_records = static_cast<std::int64_t>(stale.size());
    const auto shown = static_cast<std::ptrdiff_t>(std::min(stale.size(), kShownStale));
    outcome.stale = {stale.begin(), stale.begin() + shown};
}

struct Listed {
    ScratchList& list;
    std::int64_t files = 0;
    TimeMs now = 0;
    const std::atomic<bool>& stopping;
};

// Tells which records lack files in the list; a clean-up of records acts on it.
Result<> weigh_records(sql::Database& db, const ScanRow& scan, Storage& storage, const Listed& listed,
                       Tally::Outcome& outcome) {
    const StaleFound stale = TRY(find_stale(db, scan, listed.list, outcome.started_at));
    tell(outcome, stale.records);
    if (scan.kind != ScanKind::records) return {};
    // Nothing at all: a folder that is not mounted, another bucket.
    const bool nothing = listed.files == 0 && stale.looked_at > 0;
    if (nothing || is_suspicious(outcome.stale_records, stale.looked_at)) {
        outcome.error = "too many records would have gone; nothing was removed";
        return raise_suspicion(db, scan, stale, listed.now);
    }
    const auto gone = confirm_stale(storage, stale.records, listed.stopping);
    if (!gone) {
        log::warning("missing files not looked for again", {{"scan", scan.id}, {"error", gone.error().message()}});
        outcome.error = "nothing was removed: " + storage_problem(gone.error(), scan.destination_id).message();
        return {};
    }
    tell(outcome, *gone);
    return drop_stale(db, scan, *gone, outcome.started_at, listed.now);
}

Result<std::map<std::string, std::string>> names_of(sql::Database& db, const std::string& organization) {
    std::map<std::string, std::string> names;
    for (auto& [id, name] : TRY(store::all_rows(
             db.query("SELECT id, name FROM environments WHERE organization_id = $1 LIMIT 10000", {organization}),
             [](const sql::Statement& row) { return std::pair(row.text(0), row.text(1)); })))
        names.emplace(std::move(id), std::move(name));
    return names;
}

Result<> note_reached(sql::Database& db, const ScanRow& scan, const Result<>& listed, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db, scan.organization_id));
    alerts::DestinationSilences silences(db);
    if (listed) TRY(silences.end(scan.destination_id, now));
    if (!listed && listed.error().transient())
        TRY(silences.begin(scan.destination_id, storage_problem(listed.error(), scan.destination_id).message(), now));
    return transaction.commit();
}

}  // namespace

Result<> run_scan(sql::Database& db, const ScanRow& scan, Storage& storage, const std::string& list_file,
                  const Clock& clock, const std::atomic<bool>& stopping) {
    Tally::Outcome outcome;
    outcome.destination_id = scan.destination_id;
    outcome.started_at = clock.now_ms();
    auto list = TRY(ScratchList::open(list_file));
    Tally tally;
    const auto listed = list_all(db, scan, storage, list, tally, outcome.started_at, stopping);
    tally.end();
    TRY(note_reached(db, scan, listed, clock.now_ms()));
    outcome.status = listed ? "ok" : tally.files() > 0 ? "partial" : "failed";
    if (!TRY(is_running(db, scan))) return Error(Errc::cancelled, "another replica took this one for dead");
    if (listed) {
        TRY(weigh_records(db, scan, storage, {list, tally.files(), clock.now_ms(), stopping}, outcome));
        if (scan.kind == ScanKind::orphans)
            TRY(remove_orphans(db, scan, storage, list, tally, clock.now_ms(), stopping));
    } else {
        log::warning("destination not listed", {{"scan", scan.id}, {"error", listed.error().message()}});
        outcome.error = storage_problem(listed.error(), scan.destination_id).message();
    }
    outcome.environment_names = TRY(names_of(db, scan.organization_id));
    outcome.scanned_at = clock.now_ms();
    auto transaction = TRY(sql::Transaction::begin(db, scan.organization_id));
    TRY(finish_scan(db, scan, outcome.status, outcome.error, tally.analytics(outcome), outcome.scanned_at));
    return transaction.commit();
}

}  // namespace backstay::browse
