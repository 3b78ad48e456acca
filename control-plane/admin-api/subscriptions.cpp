// Webhook endpoints and mail recipients of an organization, and what was delivered to them.
#include <algorithm>

#include "common/ids.h"
#include "common/mail/message.h"
#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/alerts/deliveries.h"
#include "control-plane/alerts/subscriptions.h"
#include "control-plane/api/answer.h"
#include "control-plane/notify/webhook.h"
#include "control-plane/registry/registry.h"

namespace backstay::admin_api {
namespace {

using alerts::Delivery;
using alerts::Subscription;
using alerts::Subscriptions;
using api::Call;
using auth::Permission;

constexpr std::int64_t kMost = 20;  // of each kind and organization
constexpr std::size_t kEventsMost = 50;
constexpr std::size_t kDescriptionMost = 200;
constexpr std::size_t kSecretLeast = 16;
constexpr std::size_t kSecretMost = 200;
constexpr std::size_t kSecretBytes = 32;
constexpr std::string_view kSecretShown = "********";  // of a secret that is not told: "unchanged"

struct SubscriptionBody {
    std::optional<std::string> url;    // of a webhook
    std::optional<std::string> email;  // of a recipient
    std::optional<std::string> description;
    std::optional<std::vector<std::string>> events;
    std::optional<std::string> least_severity;
    std::optional<std::string> secret;
    std::optional<bool> active;
};
BOOST_DESCRIBE_STRUCT(SubscriptionBody, (), (url, email, description, events, least_severity, secret, active))

json::Object view(const Subscription& row) {
    const bool webhook = row.kind == "webhook";
    json::Object out;
    out["id"] = row.id;
    out[webhook ? "url" : "email"] = row.target;
    out["description"] = row.description;
    out["events"] = json::encode(row.events);
    out["leastSeverity"] = alerts::to_string(row.least);
    if (webhook) out["secret"] = !row.secret_box.empty();
    out["active"] = row.is_active;
    out["createdBy"] = row.created_by;
    out["createdAt"] = to_rfc3339(row.created_at);
    out["updatedAt"] = to_rfc3339(row.updated_at);
    return out;
}

Result<json::Object> view(alerts::Deliveries& deliveries, const Delivery& row) {
    json::Array attempts;
    for (const alerts::Attempt& one : TRY(deliveries.attempts(row.id))) {
        json::Object attempt;
        attempt["attempt"] = one.number;
        attempt["at"] = to_rfc3339(one.at);
        attempt["durationMs"] = one.duration_ms;
        attempt["statusCode"] = one.status ? json::Value(*one.status) : json::Value(nullptr);
        attempt["error"] = one.error.empty() ? json::Value(nullptr) : json::Value(one.error);
        attempts.push_back(std::move(attempt));
    }
    json::Object out;
    out["id"] = row.id;
    out["endpointId"] = row.subscription_id;
    out["alertId"] = row.alert_id ? json::Value(*row.alert_id) : json::Value(nullptr);
    out["event"] = row.event;
    out["status"] = row.state;
    out["attempts"] = std::move(attempts);
    out["nextAttemptAt"] = row.state == "queued" ? json::Value(to_rfc3339(row.not_before)) : json::Value(nullptr);
    out["createdAt"] = to_rfc3339(row.created_at);
    out["finishedAt"] = row.finished_at ? json::Value(to_rfc3339(*row.finished_at)) : json::Value(nullptr);
    return out;
}

Result<> take_events(const SubscriptionBody& body, Subscription& row) {
    if (!body.events) return {};
    if (body.events->empty() || body.events->size() > kEventsMost) {
        return api::rule_broken("invalid_event", "events", "name 1 to 50 events, or \"*\" for all");
    }
    for (const std::string& one : *body.events) {
        if (!alerts::is_pattern(one)) return api::rule_broken("invalid_event", "events", "there is no event " + one);
    }
    row.events = *body.events;
    return {};
}

Result<> take_target(const SubscriptionBody& body, const AdminParts& parts, Subscription& row) {
    if (row.kind == "email") {
        if (body.url || body.secret)
            return api::rule_broken("invalid_email", "email", "a recipient has an address only");
        if (body.email) row.target = *body.email;
        if (mail::is_address(row.target)) return {};
        return api::rule_broken("invalid_email", "email", "must be one mail address");
    }
    if (body.email) return api::rule_broken("invalid_url", "url", "an endpoint has a URL, no address");
    if (body.url) row.target = *body.url;
    if (const auto good = notify::check_url(row.target, parts.webhook_rule); !good) {
        return api::rule_broken(good.error().reason(), "url", good.error().message());
    }
    return {};
}

Result<> take_secret(const SubscriptionBody& body, const AdminParts& parts, Subscription& row) {
    if (!body.secret || *body.secret == kSecretShown) return {};
    if (body.secret->size() < kSecretLeast || body.secret->size() > kSecretMost) {
        return api::rule_broken("invalid_secret", "secret", "must have 16 to 200 bytes");
    }
    row.secret_box = parts.box.seal(*body.secret, alerts::secret_context(row.id));
    return {};
}

Result<> take(const SubscriptionBody& body, const AdminParts& parts, Subscription& row) {
    TRY(take_target(body, parts, row));
    TRY(take_events(body, row));
    TRY(take_secret(body, parts, row));
    if (body.description && body.description->size() > kDescriptionMost) {
        return api::rule_broken("description_too_long", "description", "at most 200 bytes");
    }
    row.description = body.description.value_or(row.description);
    row.is_active = body.active.value_or(row.is_active);
    if (!body.least_severity) return {};
    const auto least = alerts::severity_from(*body.least_severity);
    if (!least) return api::rule_broken("invalid_severity", "leastSeverity", "must be info, warning or critical");
    row.least = *least;
    return {};
}

Result<Subscription> find(const Call& call, sql::Database& db, std::string_view kind) {
    auto found = TRY(Subscriptions(db).find(call.organization_id, kind, call.param("id")));
    if (!found) return api::not_found(kind == "webhook" ? "webhook endpoint" : "recipient");
    return std::move(*found);
}

Result<> note(const Call& call, sql::Transaction& tx, const Subscription& row, std::string_view what) {
    const std::string action = std::string(row.kind == "webhook" ? "webhook." : "recipient.").append(what);
    return registry::note(tx, actor_of(call), call.organization_id, action, row.id, row.description);
}

Result<http::Response> create(Call& call, sql::Transaction& tx, const AdminParts& parts, std::string_view kind) {
    const auto body = TRY(api::body<SubscriptionBody>(call));
    Subscriptions subscriptions(tx.database());
    const auto known = TRY(subscriptions.list(call.organization_id, kind, {1, 0}));
    if (known.total >= kMost) return api::conflict("too_many_endpoints", "an organization has at most 20 of them");
    if (kind == "email" && !parts.mail_works) {
        return api::rule_broken("mail_not_configured", "email", "this control plane has no [mail] in control.toml");
    }
    Subscription row;
    row.id = new_uuid();
    row.organization_id = call.organization_id;
    row.kind = kind;
    row.events = {"*"};
    row.least = kind == "email" ? alerts::Severity::warning : alerts::Severity::info;
    row.created_by = call.principal.name;
    row.created_at = row.updated_at = call.now;
    TRY(take(body, parts, row));
    std::string made;
    if (kind == "webhook" && row.secret_box.empty()) {
        made = random_token(kSecretBytes);
        row.secret_box = parts.box.seal(made, alerts::secret_context(row.id));
    }
    TRY(subscriptions.insert(row));
    if (row.is_active) TRY(alerts::Deliveries(tx.database()).tell_test(row, call.now));
    TRY(note(call, tx, row, "create"));
    json::Object answer = view(row);
    if (!made.empty()) answer["generatedSecret"] = made;  // shown this once
    return api::json_answer(201, json::Value(std::move(answer)));
}

Result<http::Response> update(Call& call, sql::Transaction& tx, const AdminParts& parts, std::string_view kind) {
    const auto body = TRY(api::body<SubscriptionBody>(call));
    Subscription row = TRY(find(call, tx.database(), kind));
    TRY(take(body, parts, row));
    row.updated_at = call.now;
    TRY(Subscriptions(tx.database()).update(row));
    TRY(note(call, tx, row, "update"));
    return api::json_answer(200, json::Value(view(row)));
}

Result<http::Response> remove(Call& call, sql::Transaction& tx, const AdminParts&, std::string_view kind) {
    const Subscription row = TRY(find(call, tx.database(), kind));
    TRY(Subscriptions(tx.database()).remove(call.organization_id, row.id));
    TRY(note(call, tx, row, "delete"));
    return api::message_answer(200, "nothing is sent there any more");
}

Result<http::Response> test(Call& call, sql::Transaction& tx, const AdminParts&, std::string_view kind) {
    const Subscription row = TRY(find(call, tx.database(), kind));
    json::Object answer;
    answer["deliveryId"] = TRY(alerts::Deliveries(tx.database()).tell_test(row, call.now));
    answer["message"] = "a test event is queued";
    return api::json_answer(202, json::Value(std::move(answer)));
}

Result<http::Response> replay(Call& call, sql::Transaction& tx) {
    alerts::Deliveries deliveries(tx.database());
    const auto found = TRY(deliveries.find(call.organization_id, call.param("id")));
    if (!found) return api::not_found("delivery");
    TRY(deliveries.replay(found->id, call.now));
    return api::message_answer(200, "the delivery is queued");
}

Result<http::Response> list(const Call& call, sql::Database& db, std::string_view kind) {
    const auto page = TRY(api::page_of(call, 50));
    const auto listing = TRY(Subscriptions(db).list(call.organization_id, kind, page));
    json::Array items;
    for (const Subscription& row : listing.items) items.push_back(view(row));
    json::Object body;
    body[kind == "webhook" ? "endpoints" : "recipients"] = std::move(items);
    body["total"] = listing.total;
    return api::json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> list_deliveries(const Call& call, sql::Database& db, std::string_view kind) {
    const Subscription row = TRY(find(call, db, kind));
    const auto page = TRY(api::page_of(call, 50));
    alerts::Deliveries deliveries(db);
    const auto listing = TRY(deliveries.list(row.id, page));
    json::Array items;
    for (const Delivery& one : listing.items) items.push_back(TRY(view(deliveries, one)));
    json::Object body{{"deliveries", std::move(items)}, {"total", listing.total}};
    return api::json_answer(200, json::Value(std::move(body)));
}

void add_kind(api::RouteTable& routes, const AdminParts& parts, std::string_view kind, const std::string& all) {
    using Change = Result<http::Response> (*)(Call&, sql::Transaction&, const AdminParts&, std::string_view);
    const std::string one = all + "/{id}";
    const auto change = [&](std::string_view method, const std::string& pattern, Change action) {
        routes.add_write(
            {method, pattern, Permission::manage_storage},
            [parts, kind, action](Call& call, sql::Transaction& tx) { return action(call, tx, parts, kind); });
    };
    routes.add({"GET", all, Permission::manage_storage},
               [kind](Call& call, sql::Database& db) { return list(call, db, kind); });
    routes.add({"GET", one, Permission::manage_storage},
               [kind](Call& call, sql::Database& db) -> Result<http::Response> {
                   const Subscription row = TRY(find(call, db, kind));
                   return api::json_answer(200, json::Value(view(row)));
               });
    routes.add({"GET", one + "/deliveries", Permission::manage_storage},
               [kind](Call& call, sql::Database& db) { return list_deliveries(call, db, kind); });
    change("POST", all, create);
    change("PUT", one, update);
    change("PATCH", one, update);
    change("DELETE", one, remove);
    change("POST", one + "/test", test);
}

}  // namespace

void add_subscription_routes(api::RouteTable& routes, const AdminParts& parts) {
    add_kind(routes, parts, "webhook", "/api/webhook-endpoints");
    add_kind(routes, parts, "email", "/api/alert-recipients");
    routes.add_write({"POST", "/api/webhook-deliveries/{id}/replay", Permission::manage_storage}, replay);
}

}  // namespace backstay::admin_api
