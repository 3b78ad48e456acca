#include "control-plane/live/live.h"

#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/drills.h"
#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/dispatch/order_verification.h"
#include "control-plane/dispatch/prune.h"
#include "control-plane/dispatch/retry_removals.h"
#include "control-plane/dispatch/watch.h"
#include "control-plane/live/purge.h"
#include "control-plane/schedule/overdue.h"
#include "control-plane/schedule/runs.h"
#include "control-plane/schedule/windows.h"
#include "control-plane/store/removal_hold.h"

namespace backstay::live {
namespace {

using Lane = store::DatabaseThreads::Lane;
using Done = store::DatabaseThreads::Done;

constexpr std::uint64_t kSweepMs = 5'000;
constexpr TimeMs kOverdueMs = 60'000;
constexpr std::uint64_t kFirstPurgeMs = 10'000;
constexpr std::uint64_t kPurgeMs = 10 * 60'000;

Result<dispatch::Stir> swept(sql::Database& db, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    dispatch::Stir stir;
    TRY(dispatch::sweep_jobs(db, now, stir));
    TRY(transaction.commit());
    return stir;
}

// A transaction of its own: what goes wrong here keeps no job from being swept.
Result<> expired(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(dispatch::remove_expired_snapshots(db, now, stir));
    return transaction.commit();
}

Result<> pruned(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(dispatch::prune_due(db, now, stir));
    TRY(dispatch::remove_failed_history(db, now, stir));
    TRY(dispatch::retry_removals(db, now, stir));
    return transaction.commit();
}

Result<> verified(sql::Database& db, TimeMs now, dispatch::Stir& stir) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(dispatch::drills_due(db, now, stir));
    TRY(dispatch::verify_due(db, now, stir));
    return transaction.commit();
}

Result<> watched(sql::Database& db, TimeMs listening_since, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(dispatch::watch_silence(db, listening_since, now));
    return transaction.commit();
}

Result<> overdue(sql::Database& db, TimeMs now) {
    auto transaction = TRY(sql::Transaction::begin(db));
    TRY(schedule::watch_overdue(db, now));
    TRY(schedule::watch_windows(db, now));
    TRY(dispatch::watch_drills(db, now));
    return transaction.commit();
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

}  // namespace

Live::Live(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, dispatch::OpenDestination open,
           const Settings& settings)
    : threads_(threads),
      clock_(clock),
      streams_(loop, threads, static_cast<std::size_t>(settings.limits.streams_per_credential)),
      polls_(loop, threads, clock, std::move(open), [this](const dispatch::Stir& stirred) { stir(stirred); }),
      keep_(settings.retention),
      listening_since_(clock.now_ms()),
      sweep_timer_(loop, kSweepMs, kSweepMs, [this] { sweep(); }),
      purge_timer_(loop, kFirstPurgeMs, kPurgeMs, [this] { purge(); }) {
    // The first work of the writing thread, so before any sweep.
    const bool taken = threads_.submit(Lane::write, [this](sql::Database& db) {
        const auto done = restarted(db, clock_.now_ms());
        if (!done) log::error("leases not restarted", {{"error", done.error().message()}});
        return Done();
    });
    if (!taken) log::error("leases not restarted", {{"error", "the queue is full"}});
}

void Live::stir(const dispatch::Stir& stirred) {
    streams_.publish(stirred.operations);
    polls_.wake(stirred.agents);
}

void Live::after_commit(api::Call& call, dispatch::Stir stirred) {
    call.after_commit.emplace_back([this, changed = std::move(stirred)] { stir(changed); });
}

void Live::sweep() {
    if (sweeping_) return;
    sweeping_ = threads_.submit(Lane::write, [this](sql::Database& db) {
        auto stirred = swept(db, clock_.now_ms());
        if (!stirred) log::error("jobs not swept", {{"error", stirred.error().message()}});
        if (stirred) {
            const auto done = expired(db, clock_.now_ms(), *stirred);
            if (!done) log::error("snapshots not expired", {{"error", done.error().message()}});
            const auto ran = schedule::run_due(db, clock_.now_ms(), *stirred);
            if (!ran) log::error("schedules not run", {{"error", ran.error().message()}});
            const auto let_go = pruned(db, clock_.now_ms(), *stirred);
            if (!let_go) log::error("backups not pruned", {{"error", let_go.error().message()}});
            const auto asked = verified(db, clock_.now_ms(), *stirred);
            if (!asked) log::error("backups not verified", {{"error", asked.error().message()}});
        }
        if (const auto done = watched(db, listening_since_, clock_.now_ms()); !done) {
            log::error("silence not looked at", {{"error", done.error().message()}});
        }
        if (clock_.now_ms() >= overdue_at_) {
            overdue_at_ = clock_.now_ms() + kOverdueMs;
            const auto done = overdue(db, clock_.now_ms());
            if (!done) log::error("overdue backups not looked at", {{"error", done.error().message()}});
        }
        return Done([this, stirred = std::move(stirred)] {
            sweeping_ = false;
            if (stirred) stir(*stirred);
        });
    });
}

// Piece by piece: other writers get their turn between two of them.
void Live::purge() {
    if (purging_ || stopping_) return;
    purging_ = threads_.submit(Lane::write, [this](sql::Database& db) {
        auto more = purge_some(db, keep_, clock_.now_ms());
        if (!more) log::error("old history not purged", {{"error", more.error().message()}});
        return Done([this, again = more && *more] {
            purging_ = false;
            if (again) purge();
        });
    });
}

void Live::stop() {
    stopping_ = true;
    streams_.close_all();
    polls_.close_all();
}

}  // namespace backstay::live
