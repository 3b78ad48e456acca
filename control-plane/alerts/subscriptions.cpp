#include "control-plane/alerts/subscriptions.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/json/json.h"
#include "control-plane/store/rows.h"

namespace backstay::alerts {
namespace {

using store::all_rows;
using store::count_of;
using store::first_row;

constexpr std::string_view kColumns =
    "id, organization_id, kind, target, description, events, least_severity, secret_box, is_active, created_by, "
    "created_at, updated_at";

std::string select(std::string_view where) {
    return fmt::format("SELECT {} FROM subscriptions WHERE {}", kColumns, where);
}

Subscription read(const sql::Statement& row) {
    Subscription out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.kind = row.text(2);
    out.target = row.text(3);
    out.description = row.text(4);
    if (auto events = json::decode_text<std::vector<std::string>>(row.text(5))) out.events = std::move(*events);
    out.least = severity_from(row.text(6)).value_or(Severity::info);
    out.secret_box = row.text(7);
    out.is_active = row.boolean(8);
    out.created_by = row.text(9);
    out.created_at = row.integer(10);
    out.updated_at = row.integer(11);
    return out;
}

bool fits(std::string_view pattern, std::string_view event) {
    if (pattern == "*" || pattern == event) return true;
    return pattern.ends_with(".*") && event.starts_with(pattern.substr(0, pattern.size() - 1));
}

}  // namespace

std::string event_of(std::string_view type) {
    std::string event(type);
    const std::size_t first = event.find('_');
    if (first != std::string::npos) event[first] = '.';
    return event;
}

bool wants(const std::vector<std::string>& patterns, std::string_view event) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& one) { return fits(one, event); });
}

bool is_pattern(std::string_view text) {
    const auto& types = all_types();
    return std::any_of(types.begin(), types.end(), [&](std::string_view type) { return fits(text, event_of(type)); });
}

std::string secret_context(std::string_view subscription_id) {
    return std::string("subscription:").append(subscription_id);
}

Result<> Subscriptions::insert(const Subscription& row) {
    const std::string sql = fmt::format(
        "INSERT INTO subscriptions ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", kColumns);
    TRY(db_.run(sql,
                {row.id, row.organization_id, row.kind, row.target, row.description, json::encode_text(row.events),
                 to_string(row.least), row.secret_box, row.is_active, row.created_by, row.created_at, row.updated_at}));
    return {};
}

Result<> Subscriptions::update(const Subscription& row) {
    TRY(db_.run(
        "UPDATE subscriptions SET target = $2, description = $3, events = $4, least_severity = $5, secret_box = "
        "$6, is_active = $7, updated_at = $8 WHERE id = $1",
        {row.id, row.target, row.description, json::encode_text(row.events), to_string(row.least), row.secret_box,
         row.is_active, row.updated_at}));
    return {};
}

Result<> Subscriptions::remove(std::string_view organization, std::string_view id) {
    TRY(db_.run("DELETE FROM subscriptions WHERE organization_id = $1 AND id = $2", {organization, id}));
    return {};
}

store::Found<Subscription> Subscriptions::find(std::string_view organization, std::string_view kind,
                                               std::string_view id) {
    return first_row(db_.query(select("organization_id = $1 AND kind = $2 AND id = $3"), {organization, kind, id}),
                     read);
}

store::Found<Subscription> Subscriptions::by_id(std::string_view id) {
    return first_row(db_.query(select("id = $1"), {id}), read);
}

Result<store::Listing<Subscription>> Subscriptions::list(std::string_view organization, std::string_view kind,
                                                         const store::Page& page) {
    store::Listing<Subscription> out;
    out.total = TRY(count_of(db_.query("SELECT COUNT(*) FROM subscriptions WHERE organization_id = $1 AND kind = $2",
                                       {organization, kind})));
    out.items =
        TRY(all_rows(db_.query(select("organization_id = $1 AND kind = $2 ORDER BY created_at, id LIMIT $3 OFFSET $4"),
                               {organization, kind, page.limit, page.offset}),
                     read));
    return out;
}

Result<std::vector<Subscription>> Subscriptions::active(std::string_view organization) {
    return all_rows(db_.query(select("organization_id = $1 AND is_active = 1 ORDER BY created_at, id"), {organization}),
                    read);
}

}  // namespace backstay::alerts
