#include "control-plane/serve/shared_limits.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "common/log.h"
#include "control-plane/store/rows.h"

namespace backstay::serve {
namespace {

using Done = store::DatabaseThreads::Done;

constexpr std::uint64_t kExchangeMs = 250;
constexpr TimeMs kForgetMs = 60'000;
constexpr TimeMs kClocksApartMs = 5'000;

// The window that is there goes on; one that is over gives way to the caller's, and so does one of the future, which a
// clock that was ahead began.
constexpr std::string_view kAdd =
    "INSERT INTO request_windows (limiter, key, began_at, taken) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (limiter, key) DO UPDATE SET "
    "taken = CASE WHEN request_windows.began_at <= $5 OR request_windows.began_at > $6 THEN excluded.taken "
    "ELSE request_windows.taken + excluded.taken END, "
    "began_at = CASE WHEN request_windows.began_at <= $5 OR request_windows.began_at > $6 THEN excluded.began_at "
    "ELSE request_windows.began_at END "
    "RETURNING began_at, taken";

Result<> forget(sql::Database& db, TimeMs now) {
    TRY(db.run("DELETE FROM request_windows WHERE began_at <= $1", {now - 2 * auth::RateLimiter::kWindowMs}));
    return {};
}

}  // namespace

struct SharedLimits::Item {
    const Named* of = nullptr;
    auth::Taken taken;
    std::optional<auth::RateLimiter::Sum> sum = {};  // of all
};

// Replicas share the wall clock, which is `ahead` of the limiters'.
Result<> SharedLimits::add(sql::Database& db, std::vector<Item>& items, TimeMs now, std::int64_t ahead, bool forgets) {
    if (forgets) TRY(forget(db, now));
    for (Item& item : items) {
        item.sum = TRY(store::first_row(
            db.query(kAdd, {item.of->name, item.taken.key, item.taken.began_ms + ahead, item.taken.count,
                            now - auth::RateLimiter::kWindowMs, now + kClocksApartMs}),
            [&](const sql::Statement& row) {
                return auth::RateLimiter::Sum{row.integer(0) - ahead, row.integer(1)};
            }));
    }
    return {};
}

SharedLimits::SharedLimits(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, std::vector<Named> limiters)
    : threads_(threads),
      clock_(clock),
      limiters_(std::move(limiters)),
      timer_(loop, kExchangeMs, kExchangeMs, [this] { exchange(); }) {
    for (const Named& one : limiters_) one.limiter.share();
}

SharedLimits::~SharedLimits() = default;

void SharedLimits::taken() {
    const bool pressing =
        std::any_of(limiters_.begin(), limiters_.end(), [](const Named& one) { return one.limiter.is_pressing(); });
    if (pressing) exchange();
}

void SharedLimits::gather() {
    for (const Named& one : limiters_) {
        for (auth::Taken& taken : one.limiter.gather()) waiting_.push_back({&one, std::move(taken)});
    }
}

void SharedLimits::exchange() {
    if (exchanging_) return;
    if (waiting_.empty()) gather();
    const TimeMs now = clock_.now_ms();
    const bool forgets = now >= forget_at_;
    if (waiting_.empty() && !forgets) return;
    if (forgets) forget_at_ = now + kForgetMs;
    const auto first = waiting_.end() - static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kAtOnce));
    std::vector<Item> items(std::make_move_iterator(first), std::make_move_iterator(waiting_.end()));
    waiting_.erase(first, waiting_.end());
    const std::int64_t ahead = now - steady_ms();
    exchanging_ =
        threads_.submit(store::DatabaseThreads::Lane::exchange,
                        [this, items = std::move(items), now, ahead, forgets](sql::Database& db) mutable -> Done {
                            const auto added = add(db, items, now, ahead, forgets);
                            if (!added) log::warning("limits not shared", {{"error", added.error().message()}});
                            return [this, done = std::move(items), good = added.has_value()]() mutable {
                                // Where the store is away, no more of it now: what waits would be old when it is told.
                                if (!good) std::move(waiting_.begin(), waiting_.end(), std::back_inserter(done));
                                if (!good) waiting_.clear();
                                settle(done);
                            };
                        });
    // What was gathered is lost then, as at a restart: the queue holds hundreds of these.
    if (!exchanging_) log::warning("limits not shared", {{"error", "the queue is full"}});
}

void SharedLimits::settle(const std::vector<Item>& items) {
    exchanging_ = false;
    for (const Item& item : items) item.of->limiter.settle(item.taken, item.sum);
    if (!waiting_.empty()) exchange();
}

}  // namespace backstay::serve
