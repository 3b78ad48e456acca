// Takes what is due from the queue of deliveries and sends it: a few threads of its own, each with its own connection
// to the store and its own HTTP client, so that a receiver that hangs holds up neither requests nor, but for one
// thread, other receivers. Of one subscription at most one delivery is on its way, over all replicas.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/crypto/secret_box.h"
#include "common/http/client.h"
#include "common/sql/database.h"
#include "control-plane/alerts/deliveries.h"
#include "control-plane/notify/webhook.h"

namespace backstay::notify {

struct DelivererParts {
    std::string store;
    const Clock& clock;  // outlives it, as the box
    const SecretBox& box;
    http::ClientOptions http;  // for webhooks: the address rule
    // Sends a delivery to an address; empty: mail is not configured.
    std::function<Sent(const std::string& address, const alerts::Delivery&, const std::stop_token&)> mail;
    std::uint64_t retry_first_ms = 10'000;  // doubled each time, with jitter
    std::uint64_t retry_longest_ms = 3'600'000;
    std::uint64_t look_ms = 1'000;  // between two looks at an empty queue
    std::size_t threads = 2;
};

class Deliverer {
public:
    static Result<std::unique_ptr<Deliverer>> start(DelivererParts parts);
    // Waits for what is on its way (which is told to stop).
    ~Deliverer();
    Deliverer(const Deliverer&) = delete;
    Deliverer& operator=(const Deliverer&) = delete;

private:
    explicit Deliverer(DelivererParts parts) : parts_(std::move(parts)) {}
    void work(sql::Database db, const std::stop_token& stop);
    // True: there was something.
    Result<bool> deliver_one(sql::Database& db, http::Client& client, const std::stop_token& stop);
    Result<std::optional<alerts::Delivery>> take(sql::Database& db);
    struct Outcome {
        alerts::Attempt attempt;
        bool is_final = false;
    };
    Result<bool> reserve(sql::Database& db, const std::string& subscription);
    void release(sql::Database& db, const std::string& subscription);
    // Absent: it came to no attempt.
    Result<std::optional<Outcome>> send(sql::Database& db, http::Client& client, const alerts::Delivery& delivery,
                                        const std::stop_token& stop);
    Result<> note(sql::Database& db, const alerts::Delivery& delivery, const Outcome& outcome);

    DelivererParts parts_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::set<std::string> busy_;  // subscriptions
    std::vector<std::jthread> threads_;
};

}  // namespace backstay::notify
