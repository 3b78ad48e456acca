#include "control-plane/notify/deliverer.h"

#include <algorithm>
#include <chrono>

#include "common/log.h"
#include "common/sql/transaction.h"
#include "control-plane/store/store.h"
#include "storage/backoff.h"

namespace backstay::notify {
namespace {

constexpr std::int64_t kLookedAt = 64;

}  // namespace

Result<std::unique_ptr<Deliverer>> Deliverer::start(DelivererParts parts) {
    std::unique_ptr<Deliverer> out(new Deliverer(std::move(parts)));
    for (std::size_t i = 0; i < out->parts_.threads; ++i) {
        sql::OpenOptions options;
        options.connect_later = true;
        options.silence_most_ms = alerts::kAttemptLeaseMs;
        auto db = TRY(store::open_store(out->parts_.store, options));
        out->threads_.emplace_back([self = out.get(), own = std::move(db)](const std::stop_token& stop) mutable {
            self->work(std::move(own), stop);
        });
    }
    return out;
}

Deliverer::~Deliverer() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
}

void Deliverer::work(sql::Database db, const std::stop_token& stop) {
    http::Client client(parts_.http);
    while (!stop.stop_requested()) {
        const auto did = deliver_one(db, client, stop);
        if (!did) log::error("deliveries not looked at", {{"error", did.error().message()}});
        if (did && *did) continue;
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, std::chrono::milliseconds(parts_.look_ms), [] { return false; });
    }
}

Result<bool> Deliverer::deliver_one(sql::Database& db, http::Client& client, const std::stop_token& stop) {
    const auto delivery = TRY(take(db));
    if (!delivery) return false;
    const auto outcome = send(db, client, *delivery, stop);
    release(db, delivery->subscription_id);
    if (!outcome) return outcome.error();
    if (*outcome) TRY(note(db, *delivery, **outcome));
    return true;
}

// Neither another thread nor another replica sends to this subscription meanwhile.
Result<bool> Deliverer::reserve(sql::Database& db, const std::string& subscription) {
    {
        const std::lock_guard lock(mutex_);
        if (!busy_.insert(subscription).second) return false;
    }
    auto held = db.hold("deliver " + subscription);
    if (held && *held) return true;
    const std::lock_guard lock(mutex_);
    busy_.erase(subscription);
    return held;
}

void Deliverer::release(sql::Database& db, const std::string& subscription) {
    if (const auto done = db.let_go("deliver " + subscription); !done)
        log::warning("a subscription is held until the connection ends", {{"error", done.error().message()}});
    const std::lock_guard lock(mutex_);
    busy_.erase(subscription);
}

// The first one whose subscription is not busy. It is ours from then on, also if we die before its end is written:
// then it goes out again when its lease is over.
Result<std::optional<alerts::Delivery>> Deliverer::take(sql::Database& db) {
    const TimeMs now = parts_.clock.now_ms();
    auto due = TRY(alerts::Deliveries(db).due(now, kLookedAt));
    for (alerts::Delivery& one : due) {
        if (!TRY(reserve(db, one.subscription_id))) continue;
        const auto begun = [&]() -> Result<bool> {
            auto transaction = TRY(sql::Transaction::begin(db, one.organization_id));
            const bool is_ours = TRY(alerts::Deliveries(db).begin(one, now));
            TRY(transaction.commit());
            return is_ours;
        }();
        if (begun && *begun) return std::optional(std::move(one));
        release(db, one.subscription_id);
        if (!begun) return begun.error();
    }
    return std::optional<alerts::Delivery>();
}

Result<std::optional<Deliverer::Outcome>> Deliverer::send(sql::Database& db, http::Client& client,
                                                          const alerts::Delivery& delivery,
                                                          const std::stop_token& stop) {
    const auto subscription = TRY(alerts::Subscriptions(db).by_id(delivery.subscription_id));
    if (!subscription) return std::optional<Outcome>();
    Outcome outcome;
    alerts::Attempt& attempt = outcome.attempt;
    attempt.number = delivery.attempt;
    attempt.at = parts_.clock.now_ms();
    const std::int64_t began = steady_ms();
    Sent sent;
    if (subscription->kind == "email") {
        sent = parts_.mail ? parts_.mail(subscription->target, delivery, stop)
                           : Sent{std::nullopt, "mail is not configured here", true};
    } else if (const auto secret =
                   parts_.box.open(subscription->secret_box, alerts::secret_context(subscription->id))) {
        sent = call_webhook(client, subscription->target, *secret, delivery, attempt.at, stop);
    } else {
        sent = {std::nullopt, "its secret cannot be opened: is secrets.key the one it was sealed with?", true};
    }
    // Its lease ends; it goes out again after the start.
    if (stop.stop_requested() && !sent.error.empty()) return std::optional<Outcome>();
    attempt.duration_ms = steady_ms() - began;
    attempt.status = sent.status;
    attempt.error = sent.error;
    outcome.is_final = sent.is_final;
    return std::optional(std::move(outcome));
}

Result<> Deliverer::note(sql::Database& db, const alerts::Delivery& delivery, const Outcome& outcome) {
    const alerts::Attempt& attempt = outcome.attempt;
    const TimeMs now = parts_.clock.now_ms();
    std::optional<TimeMs> retry_at;
    if (!attempt.error.empty() && !outcome.is_final && delivery.attempt < alerts::kAttemptsMost) {
        const int number = static_cast<int>(delivery.attempt);
        retry_at = now + static_cast<TimeMs>(backoff_ms(number, parts_.retry_first_ms, parts_.retry_longest_ms));
    }
    if (!attempt.error.empty()) {
        log::warning("not delivered", {{"delivery", delivery.id},
                                       {"attempt", delivery.attempt},
                                       {"final", retry_at ? "no" : "yes"},
                                       {"error", attempt.error}});
    }
    auto transaction = TRY(sql::Transaction::begin(db, delivery.organization_id));
    TRY(alerts::Deliveries(db).end(delivery, attempt, retry_at, now));
    return transaction.commit();
}

}  // namespace backstay::notify
