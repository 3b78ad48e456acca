#include "control-plane/live/upkeep.h"

#include <map>
#include <string_view>
#include <vector>

#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/drills.h"
#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/dispatch/order_verification.h"
#include "control-plane/dispatch/prune.h"
#include "control-plane/dispatch/retry_removals.h"
#include "control-plane/dispatch/watch.h"
#include "control-plane/schedule/overdue.h"
#include "control-plane/schedule/runs.h"
#include "control-plane/schedule/windows.h"
#include "control-plane/store/removal_hold.h"

namespace backstay::live {
namespace {

using Lane = store::DatabaseThreads::Lane;
using Done = store::DatabaseThreads::Done;

// Also how soon a replica takes over, and well below DatabaseThreads::kUpkeepSilenceMs.
constexpr std::uint64_t kLookMs = 1'000;
constexpr TimeMs kSweepMs = 5'000;
constexpr TimeMs kOverdueMs = 60'000;
constexpr std::uint64_t kFirstPurgeMs = 10'000;
constexpr std::uint64_t kPurgeMs = 10 * 60'000;

// Organization by organization, so that others go on meanwhile.
Result<> swept(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    std::map<std::string, std::vector<std::string>> jobs;
    for (auto& job : TRY(dispatch::jobs_to_sweep(db, now))) jobs[job.organization_id].push_back(std::move(job.id));
    for (const auto& [organization, ids] : jobs) {
        auto transaction = TRY(sql::Transaction::begin(db, organization));
        for (const std::string& id : ids) TRY(dispatch::sweep_job(db, id, now, stir));
        TRY(transaction.commit());
    }
    return {};
}

// Failed because it wanted to write where nothing may be written, or because it went on after that.
bool wanted_to_write(const Error& error) {
    const std::string_view state = sql::sqlstate_of(error);
    return state == "25006" || state == "25P02";
}

// Work that may touch anything, alone in the whole store. Mostly there is nothing to do: PostgreSQL, where that would
// hold up other writers, is asked first by letting it run where it can only read.
template <class Work>
Result<> alone(sql::Database& db, dispatch::Stir& stir, Work work) {
    if (db.dialect() == sql::Dialect::postgres) {
        const auto rehearsal = TRY(sql::Transaction::begin(db, "upkeep"));
        TRY(db.run_script("SET TRANSACTION READ ONLY"));
        dispatch::Stir nobody;
        auto done = work(nobody);
        if (done || !wanted_to_write(done.error())) return done;
    }
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(work(stir));
    return transaction.commit();
}

Result<> pruned(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    TRY(dispatch::prune_due(db, now, stir));
    TRY(dispatch::remove_failed_history(db, now, stir));
    return dispatch::retry_removals(db, now, stir);
}

Result<> verified(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    TRY(dispatch::drills_due(db, now, stir));
    return dispatch::verify_due(db, now, stir);
}

Result<> overdue(sql::Database& db, TimeMs now) {
    TRY(schedule::watch_overdue(db, now));
    TRY(schedule::watch_windows(db, now));
    return dispatch::watch_drills(db, now);
}

Result<> restarted(sql::Database& db, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(dispatch::restart_leases(db, now));
    if (const auto held = TRY(store::removals_held_until(db, now))) {
        log::warning("nothing is removed by itself",
                     {{"until", to_rfc3339(*held)}, {"hint", "look at pins and schedules, then release-hold"}});
    }
    return transaction.commit();
}

void tell(std::string_view what, const Result<>& done) {
    if (!done) log::error(std::string(what), {{"error", done.error().message()}});
}

}  // namespace

Upkeep::Upkeep(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, const RetentionSettings& keep,
               std::string replica, Stirred stirred)
    : threads_(threads),
      clock_(clock),
      purge_(keep),
      stirred_(std::move(stirred)),
      leadership_(std::move(replica)),
      sweep_at_(steady_ms() + kSweepMs),
      look_timer_(loop, kLookMs, kLookMs, [this] { look(); }),
      purge_timer_(loop, kFirstPurgeMs, kPurgeMs, [this] { purge(); }) {
    look();
}

void Upkeep::look() {
    if (looking_) return;
    looking_ = threads_.submit(Lane::upkeep, [this](sql::Database& db) {
        auto stirred = work(db);
        if (!stirred) log::error("upkeep not done", {{"error", stirred.error().message()}});
        return Done([this, stirred = std::move(stirred)] {
            looking_ = false;
            if (stirred) stirred_(*stirred);
        });
    });
}

Result<std::optional<replicas::Term>> Upkeep::lead(sql::Database& db) {
    const TimeMs now = clock_.now_ms();
    const auto term = TRY(leadership_.hold(db, now));
    if (!term) return term;
    if (term->after_nobody) TRY(restarted(db, now).context("leases not restarted"));
    TRY(leadership_.note(db, *term, now));
    return term;
}

Result<dispatch::Stir> Upkeep::work(sql::Database& db) {
    dispatch::Stir stir;
    const auto term = TRY(lead(db));
    if (!term || steady_ms() < sweep_at_) return stir;
    sweep_at_ = steady_ms() + kSweepMs;
    sweep(db, *term, stir);
    return stir;
}

// Each in transactions of its own: what goes wrong in one keeps no other from being done.
void Upkeep::sweep(sql::Database& db, const replicas::Term& term, dispatch::Stir& stir) {
    using Stir = dispatch::Stir;
    const TimeMs now = clock_.now_ms();
    tell("jobs not swept", swept(db, now, stir));
    tell("snapshots not expired",
         alone(db, stir, [&](Stir& some) { return dispatch::remove_expired_snapshots(db, now, some); }));
    tell("schedules not run", schedule::run_due(db, now, stir));
    tell("backups not pruned", alone(db, stir, [&](Stir& some) { return pruned(db, now, some); }));
    tell("backups not verified", alone(db, stir, [&](Stir& some) { return verified(db, now, some); }));
    tell("silence not looked at",
         alone(db, stir, [&](Stir& /*nobody*/) { return dispatch::watch_silence(db, term.listening_since, now); }));
    if (steady_ms() < overdue_at_) return;
    overdue_at_ = steady_ms() + kOverdueMs;
    tell("overdue backups not looked at", alone(db, stir, [&](Stir& /*nobody*/) { return overdue(db, now); }));
}

// Piece by piece: other writers get their turn between two of them.
void Upkeep::purge() {
    if (purging_ || stopping_) return;
    purging_ = threads_.submit(Lane::upkeep, [this](sql::Database& db) {
        const auto more = [&]() -> Result<bool> {
            const auto term = TRY(lead(db));
            if (!term) return false;
            return purge_.some(db, clock_.now_ms());
        }();
        if (!more) log::error("old history not purged", {{"error", more.error().message()}});
        return Done([this, again = more && *more] {
            purging_ = false;
            if (again) purge();
        });
    });
}

}  // namespace backstay::live
