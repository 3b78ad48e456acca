#include "control-plane/alerts/deliveries.h"

#include <fmt/format.h>

#include "common/ids.h"
#include "common/text.h"
#include "control-plane/alerts/telling.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/rows.h"

namespace backstay::alerts {
namespace {

using store::all_rows;
using store::count_of;
using store::first_row;

constexpr std::size_t kErrorMost = 500;
constexpr std::string_view kColumns =
    "id, organization_id, subscription_id, alert_id, event, body, state, attempt, not_before, created_at, finished_at";

std::string select(std::string_view where) {
    return fmt::format("SELECT {} FROM deliveries WHERE {}", kColumns, where);
}

Delivery read(const sql::Statement& row) {
    Delivery out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.subscription_id = row.text(2);
    out.alert_id = row.optional_text(3);
    out.event = row.text(4);
    out.body = row.text(5);
    out.state = row.text(6);
    out.attempt = row.integer(7);
    out.not_before = row.integer(8);
    out.created_at = row.integer(9);
    out.finished_at = row.optional_integer(10);
    return out;
}

json::Object envelope(std::string_view event, std::string_view action, const std::string& organization, TimeMs now) {
    json::Object body;
    body["event"] = event;
    body["action"] = action;
    body["occurredAt"] = to_rfc3339(now);
    body["organizationId"] = organization;
    return body;
}

Delivery queued(const Subscription& subscription, std::string_view event, const json::Object& body, TimeMs now) {
    Delivery out;
    out.id = new_ordered_uuid();
    out.organization_id = subscription.organization_id;
    out.subscription_id = subscription.id;
    out.event = event;
    out.body = json::serialize(json::Value(body));
    out.not_before = out.created_at = now;
    return out;
}

}  // namespace

Result<> Deliveries::insert(const Delivery& row) {
    TRY(make_room(row.subscription_id, row.created_at));
    const std::string sql =
        fmt::format("INSERT INTO deliveries ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", kColumns);
    TRY(db_.run(sql, {row.id, row.organization_id, row.subscription_id, row.alert_id, row.event, row.body, row.state,
                      row.attempt, row.not_before, row.created_at, row.finished_at}));
    return {};
}

Result<> Deliveries::make_room(std::string_view subscription, TimeMs now) {
    TRY(db_.run(
        "UPDATE deliveries SET state = 'failed', finished_at = $3 WHERE id IN (SELECT id FROM deliveries WHERE "
        "subscription_id = $1 AND state = 'queued' ORDER BY created_at DESC, id DESC LIMIT 1000000000 OFFSET $2)",
        {subscription, kQueuedMost - 1, now}));
    return {};
}

Result<> Deliveries::tell(const Alert& alert, Change change, TimeMs now) {
    const auto subscriptions = TRY(Subscriptions(db_).active(alert.organization_id));
    if (subscriptions.empty()) return {};
    std::optional<Place> place;
    if (alert.about.environment_id) {
        const auto found = TRY(store::Environments(db_).find_any(alert.organization_id, *alert.about.environment_id));
        if (found) place = {found->name, found->type};
    }
    const std::string event = event_of(alert.type);
    json::Object body = envelope(event, boost::describe::enum_to_string(change, "raised"), alert.organization_id, now);
    body["alert"] = alert_object(alert, place);
    for (const Subscription& one : subscriptions) {
        if (alert.severity < one.least || !wants(one.events, event)) continue;
        Delivery delivery = queued(one, event, body, now);
        delivery.alert_id = alert.id;
        TRY(insert(delivery));
    }
    return {};
}

Result<std::string> Deliveries::tell_test(const Subscription& subscription, TimeMs now) {
    json::Object body = envelope(kTestEvent, "test", subscription.organization_id, now);
    body["alert"] = nullptr;
    body["message"] = "Backstay reaches you.";
    const Delivery delivery = queued(subscription, kTestEvent, body, now);
    TRY(insert(delivery));
    return delivery.id;
}

Result<std::vector<Delivery>> Deliveries::due(TimeMs now, std::int64_t limit) {
    return all_rows(
        db_.query(select("state = 'queued' AND not_before <= $1 ORDER BY not_before, id LIMIT $2"), {now, limit}),
        read);
}

Result<bool> Deliveries::begin(Delivery& delivery, TimeMs now) {
    const auto changed = TRY(
        db_.run("UPDATE deliveries SET attempt = attempt + 1, not_before = $3 WHERE id = $1 AND state = 'queued' AND "
                "not_before <= $2",
                {delivery.id, now, now + kAttemptLeaseMs}));
    ++delivery.attempt;
    return changed == 1;
}

Result<> Deliveries::end(const Delivery& delivery, const Attempt& attempt, std::optional<TimeMs> retry_at, TimeMs now) {
    // The subscription may have been removed meanwhile, and the delivery with it.
    TRY(db_.run(
        "INSERT INTO delivery_attempts (delivery_id, attempt, at, duration_ms, status, error) SELECT id, $2, $3, "
        "$4, $5, $6 FROM deliveries WHERE id = $1 ON CONFLICT DO NOTHING",
        {delivery.id, attempt.number, attempt.at, attempt.duration_ms, attempt.status,
         cut_utf8(attempt.error, kErrorMost)}));
    if (retry_at) {
        TRY(db_.run("UPDATE deliveries SET not_before = $2 WHERE id = $1 AND state = 'queued'",
                    {delivery.id, *retry_at}));
        return {};
    }
    const std::string_view state = attempt.error.empty() ? "delivered" : "failed";
    TRY(db_.run("UPDATE deliveries SET state = $2, finished_at = $3 WHERE id = $1 AND state = 'queued'",
                {delivery.id, state, now}));
    return {};
}

Result<bool> Deliveries::replay(std::string_view id, TimeMs now) {
    const auto changed = TRY(db_.run(
        "UPDATE deliveries SET state = 'queued', not_before = $2, finished_at = NULL WHERE id = $1 AND state <> "
        "'queued'",
        {id, now}));
    return changed == 1;
}

store::Found<Delivery> Deliveries::find(std::string_view organization, std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND id = $2"), {organization, id}), read);
}

Result<store::Listing<Delivery>> Deliveries::list(std::string_view subscription, const store::Page& page) {
    store::Listing<Delivery> out;
    out.total = TRY(count_of(db_.query("SELECT COUNT(*) FROM deliveries WHERE subscription_id = $1", {subscription})));
    out.items =
        TRY(all_rows(db_.query(select("subscription_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3"),
                               {subscription, page.limit, page.offset}),
                     read));
    return out;
}

Result<std::vector<Attempt>> Deliveries::attempts(std::string_view delivery) {
    return all_rows(
        db_.query(
            "SELECT attempt, at, duration_ms, status, error FROM delivery_attempts WHERE delivery_id = $1 ORDER BY "
            "attempt",
            {delivery}),
        [](const sql::Statement& row) {
            return Attempt{row.integer(0), row.integer(1), row.integer(2), row.optional_integer(3), row.text(4)};
        });
}

}  // namespace backstay::alerts
