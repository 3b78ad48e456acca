// The queue of what subscribers are told, and how each attempt went. Written in the transaction of what it tells of, so
// that nothing is told that did not happen and nothing that happened is forgotten. Bounded: of one subscription at most
// kQueuedMost wait; the oldest give way.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/json/json.h"
#include "common/sql/database.h"
#include "control-plane/alerts/alert.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/subscriptions.h"
#include "control-plane/store/store.h"

namespace backstay::alerts {

inline constexpr std::int64_t kQueuedMost = 1000;
inline constexpr std::int64_t kAttemptsMost = 12;         // over some six hours
inline constexpr std::int64_t kAttemptLeaseMs = 120'000;  // an attempt that is not reported by then died

struct Delivery {
    std::string id;
    std::string organization_id;
    std::string subscription_id;
    std::optional<std::string> alert_id;
    std::string event;
    std::string body;              // JSON
    std::string state = "queued";  // queued, delivered, failed
    std::int64_t attempt = 0;      // begun
    TimeMs not_before = 0;
    TimeMs created_at = 0;
    std::optional<TimeMs> finished_at;
};

struct Attempt {
    std::int64_t number = 0;
    TimeMs at = 0;
    std::int64_t duration_ms = 0;
    std::optional<std::int64_t> status;  // the receiver's; absent: it gave none
    std::string error;                   // empty: delivered
};

class Deliveries {
public:
    explicit Deliveries(sql::Database& db) : db_(db) {}

    // One for every subscription of the alert's organization that wants it.
    Result<> tell(const Alert& alert, Change change, TimeMs now);
    // A test event to this one; its id.
    Result<std::string> tell_test(const Subscription& subscription, TimeMs now);

    // Due ones, longest due first.
    Result<std::vector<Delivery>> due(TimeMs now, std::int64_t limit);
    // The next attempt begins. False: it is not due any more.
    Result<bool> begin(Delivery& delivery, TimeMs now);
    // How it went. `retry_at` absent: that was the last one.
    Result<> end(const Delivery& delivery, const Attempt& attempt, std::optional<TimeMs> retry_at, TimeMs now);
    // Once more, whatever became of it. False: it waits already.
    Result<bool> replay(std::string_view id, TimeMs now);

    store::Found<Delivery> find(std::string_view organization, std::string_view id);
    // Newest first.
    Result<store::Listing<Delivery>> list(std::string_view subscription, const store::Page& page);
    Result<std::vector<Attempt>> attempts(std::string_view delivery);

private:
    Result<> insert(const Delivery& delivery);
    Result<> make_room(std::string_view subscription, TimeMs now);

    sql::Database& db_;
};

}  // namespace backstay::alerts
