#include "control-plane/browse/scans.h"

#include <filesystem>

#include "common/files/files.h"
#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/alerts/destination_silence.h"

namespace backstay::browse {
namespace {

using Done = store::DatabaseThreads::Done;

constexpr std::uint64_t kLookMs = 10'000;

Result<> ended_interrupted(sql::Database& db, const std::string& replica, TimeMs now) {
    if (!TRY(has_interrupted(db, replica, now))) return {};
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(end_interrupted(db, replica, now));
    return transaction.commit();
}

Result<std::optional<ScanRow>> claimed(sql::Database& db, const std::string& replica, TimeMs now) {
    if (!TRY(has_queued(db))) return std::optional<ScanRow>();
    auto transaction = TRY(sql::Transaction::begin(db));
    auto scan = TRY(claim_scan(db, replica, now));
    TRY(transaction.commit());
    return scan;
}

Result<> failed(sql::Database& db, const ScanRow& scan, const Error& error, TimeMs now) {
    log::warning("scan failed", {{"scan", scan.id}, {"error", error.message()}});
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(finish_scan(db, scan, "failed", error.message(), json::Value(), now));
    return transaction.commit();
}

}  // namespace

Scans::Scans(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, const Reach& reach, Place place)
    : threads_(threads),
      clock_(clock),
      reach_(reach),
      place_(std::move(place)),
      look_timer_(loop, kLookMs, kLookMs, [this] { look(); }) {
    const bool taken = threads_.submit(store::DatabaseThreads::Lane::scan, [this](sql::Database& db) -> Done {
        begin(db);
        return {};
    });
    if (!taken) log::error("scans do not begin");
}

void Scans::begin(sql::Database& db) {
    // Lists of scans that a crash ended.
    std::error_code ignored;
    std::filesystem::remove_all(place_.folder, ignored);
    if (auto made = make_folders(place_.folder, 0700); !made)
        log::error("no folder for scans", {{"error", made.error().message()}});
    if (auto ended = ended_interrupted(db, place_.replica_id, clock_.now_ms()); !ended)
        log::error("scans of the last run", {{"error", ended.error().message()}});
    work_off(db);
}

// Of what other replicas left when they died. A process that is alone has left nothing since it began.
void Scans::look() {
    if (stopping_ || looking_.exchange(true)) return;
    const bool taken = threads_.submit(store::DatabaseThreads::Lane::scan, [this](sql::Database& db) -> Done {
        looking_ = false;  // this may take hours; other threads look meanwhile
        if (db.dialect() == sql::Dialect::sqlite) return {};
        if (auto ended = ended_interrupted(db, place_.replica_id, clock_.now_ms()); !ended)
            log::warning("scans of other replicas", {{"error", ended.error().message()}});
        work_off(db);
        return {};
    });
    if (!taken) looking_ = false;
}

void Scans::kick() {
    const bool taken = threads_.submit(store::DatabaseThreads::Lane::scan, [this](sql::Database& db) -> Done {
        work_off(db);
        return {};
    });
    if (!taken) log::warning("scan not begun yet: many wait");
}

// Until nothing waits, so that what a full queue refused is done too.
void Scans::work_off(sql::Database& db) {
    while (!stopping_) {
        auto scan = claimed(db, place_.replica_id, clock_.now_ms());
        if (!scan) return log::error("scan not begun", {{"error", scan.error().message()}});
        if (!*scan) return;
        auto ran = [&]() -> Result<> {
            const auto row = TRY(store::Destinations(db).find((*scan)->organization_id, (*scan)->destination_id));
            if (!row) return Error(Errc::not_found, "the destination was removed");
            const auto storage = TRY(reach_.open(db, *row));
            return run_scan(db, **scan, *storage, place_.folder + "/" + (*scan)->id + ".db", clock_, stopping_);
        }();
        if (ran) continue;
        if (auto told = failed(db, **scan, ran.error(), clock_.now_ms()); !told)
            log::error("scan not ended", {{"error", told.error().message()}});
    }
}

}  // namespace backstay::browse
