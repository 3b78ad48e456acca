#include "control-plane/browse/scans.h"

#include "common/files/files.h"
#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/alerts/destination_silence.h"

namespace backstay::browse {
namespace {

using Done = store::DatabaseThreads::Done;

Result<> ended_interrupted(sql::Database& db, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(end_interrupted(db, now));
    return transaction.commit();
}

Result<std::optional<ScanRow>> claimed(sql::Database& db, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    auto scan = TRY(claim_scan(db, now));
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

Scans::Scans(store::DatabaseThreads& threads, const Clock& clock, const Reach& reach, std::string folder)
    : threads_(threads), clock_(clock), reach_(reach), folder_(std::move(folder)) {
    const bool taken = threads_.submit(store::DatabaseThreads::Lane::scan, [this](sql::Database& db) -> Done {
        if (auto made = make_folders(folder_, 0700); !made)
            log::error("no folder for scans", {{"error", made.error().message()}});
        if (auto ended = ended_interrupted(db, clock_.now_ms()); !ended)
            log::error("scans of the last run", {{"error", ended.error().message()}});
        work_off(db);
        return {};
    });
    if (!taken) log::error("scans do not begin");
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
        auto scan = claimed(db, clock_.now_ms());
        if (!scan) return log::error("scan not begun", {{"error", scan.error().message()}});
        if (!*scan) return;
        auto ran = [&]() -> Result<> {
            const auto row = TRY(store::Destinations(db).find((*scan)->organization_id, (*scan)->destination_id));
            if (!row) return Error(Errc::not_found, "the destination was removed");
            const auto storage = TRY(reach_.open(db, *row));
            return run_scan(db, **scan, *storage, folder_ + "/" + (*scan)->id + ".db", clock_, stopping_);
        }();
        if (ran) continue;
        if (auto told = failed(db, **scan, ran.error(), clock_.now_ms()); !told)
            log::error("scan not ended", {{"error", told.error().message()}});
    }
}

}  // namespace backstay::browse
