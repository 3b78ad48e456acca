// Who is told of alerts: URLs that are called and addresses that are written to. Runs inside the caller's transaction.
//
// An alert's event is its type with a dot behind the first word: backup_failed is "backup.failed". A subscription names
// events, "backup.*" or "*".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sql/database.h"
#include "control-plane/alerts/alert.h"
#include "control-plane/store/store.h"

namespace backstay::alerts {

inline constexpr std::string_view kTestEvent = "webhook.test";

std::string event_of(std::string_view type);
// Whether one of the patterns means the event.
bool wants(const std::vector<std::string>& patterns, std::string_view event);
// Whether this names an event that there is, or a group of some.
bool is_pattern(std::string_view text);

struct Subscription {
    std::string id;
    std::string organization_id;
    std::string kind;    // webhook, email
    std::string target;  // URL or address
    std::string description;
    std::vector<std::string> events;
    Severity least = Severity::info;
    std::string secret_box;  // a webhook's, sealed for secret_context(id)
    bool is_active = true;
    std::string created_by;
    TimeMs created_at = 0;
    TimeMs updated_at = 0;
};
std::string secret_context(std::string_view subscription_id);

class Subscriptions {
public:
    explicit Subscriptions(sql::Database& db) : db_(db) {}

    Result<> insert(const Subscription& subscription);
    Result<> update(const Subscription& subscription);
    // With its deliveries.
    Result<> remove(std::string_view organization, std::string_view id);
    store::Found<Subscription> find(std::string_view organization, std::string_view kind, std::string_view id);
    // For the deliverer: whoever's it is.
    store::Found<Subscription> by_id(std::string_view id);
    // Oldest first.
    Result<store::Listing<Subscription>> list(std::string_view organization, std::string_view kind,
                                              const store::Page& page);
    Result<std::vector<Subscription>> active(std::string_view organization);

private:
    sql::Database& db_;
};

}  // namespace backstay::alerts
