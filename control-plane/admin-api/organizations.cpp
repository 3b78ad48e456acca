#include <algorithm>

#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/api/answer.h"
#include "control-plane/registry/registry.h"
#include "control-plane/registry/views.h"
#include "control-plane/store/audit.h"

namespace backstay::admin_api {
namespace {

using api::Call;
using auth::Permission;

constexpr std::int64_t kStreamTokenSeconds = 300;

struct NewOrganization {
    std::string slug;
    std::string name;
};
BOOST_DESCRIBE_STRUCT(NewOrganization, (), (slug, name))

struct OrganizationChange {
    std::string name;
};
BOOST_DESCRIBE_STRUCT(OrganizationChange, (), (name))

// Those that the caller's token names, and those that the store knows it as a member of.
Result<http::Response> list_organizations(Call& call, sql::Database& db) {
    store::Listing<store::Organization> listing;
    listing.items = TRY(store::Organizations(db).of_subject(call.principal.id));
    if (!call.organization_id.empty()) {
        auto own = TRY(store::Organizations(db).by_id(call.organization_id));
        const bool there = std::any_of(listing.items.begin(), listing.items.end(),
                                       [&](const auto& item) { return own && item.id == own->id; });
        if (own && !there) listing.items.insert(listing.items.begin(), std::move(*own));
    }
    listing.total = static_cast<std::int64_t>(listing.items.size());
    return api::json_answer(200, registry::listing_view("organizations", listing, [](const store::Organization& item) {
                                return registry::view(item);
                            }));
}

// Whoever makes an organization owns it; owners of one may make another.
Result<http::Response> create_organization(Call& call, sql::Transaction& tx) {
    const auto wanted = TRY(api::body<NewOrganization>(call, json::Missing::refuse));
    if (call.principal.role < auth::Role::owner || call.principal.project_id) {
        return api::problem(403, "forbidden", "only owners make organizations");
    }
    const auto made = TRY(registry::create_organization(tx, actor_of(call), wanted.slug, wanted.name));
    TRY(store::Organizations(tx.database()).add_member(made.id, call.principal.id, "owner", call.now));
    return api::json_answer(201, json::Value(registry::view(made)));
}

Result<store::Organization> own_organization(const Call& call, sql::Database& db) {
    auto found = TRY(store::Organizations(db).by_id(call.organization_id));
    if (!found || found->id != call.param("id")) return api::not_found("organization");
    return std::move(*found);
}

Result<http::Response> show_organization(Call& call, sql::Database& db) {
    const auto organization = TRY(own_organization(call, db));
    return api::json_answer(200, json::Value(registry::view(organization)));
}

Result<http::Response> update_organization(Call& call, sql::Transaction& tx) {
    auto organization = TRY(own_organization(call, tx.database()));
    const auto change = TRY(api::body<OrganizationChange>(call, json::Missing::refuse));
    TRY(registry::check_name("name", change.name, 2));
    TRY(store::Organizations(tx.database()).rename(organization.id, change.name, call.now));
    TRY(registry::note(tx, actor_of(call), organization.id, "organization.update", organization.id, change.name));
    organization.name = change.name;
    organization.updated_at = call.now;
    return api::json_answer(200, json::Value(registry::view(organization)));
}

Result<std::optional<TimeMs>> time_of(const Call& call, std::string_view name) {
    const std::string* text = call.request.query_value(name);
    if (text == nullptr) return std::optional<TimeMs>();
    const auto at = parse_rfc3339(*text);
    if (!at) return api::problem(400, "invalid_parameter", std::string(name) + " must be a time as RFC 3339 writes it");
    return std::optional<TimeMs>(*at);
}

Result<http::Response> list_audit(Call& call, sql::Database& db) {
    const auto page = TRY(api::page_of(call, 50));
    store::AuditFilter filter;
    filter.organization_id = call.organization_id;
    filter.project_id = call.principal.project_id.value_or("");
    filter.actor = api::query_of(call, "actor");
    filter.action = api::query_of(call, "action");
    filter.object_id = api::query_of(call, "objectId");
    filter.since = TRY(time_of(call, "since")).value_or(0);
    filter.until = TRY(time_of(call, "until"));
    const auto listing = TRY(store::Audit(db).list(filter, page));
    return api::json_answer(200, registry::listing_view("entries", listing, [](const store::AuditEntry& item) {
                                return registry::view(item);
                            }));
}

}  // namespace

void add_organization_routes(api::RouteTable& routes) {
    routes.add({.method = "GET", .pattern = "/api/organizations", .access = api::Access::user}, list_organizations);
    routes.add_write({.method = "POST", .pattern = "/api/organizations", .access = api::Access::user},
                     create_organization);
    routes.add({"GET", "/api/organizations/{id}", Permission::view_backups}, show_organization);
    routes.add_write({"PUT", "/api/organizations/{id}", Permission::manage_organization}, update_organization);
    routes.add_write({"PATCH", "/api/organizations/{id}", Permission::manage_organization}, update_organization);
    routes.add({"GET", "/api/audit-logs", Permission::manage_keys}, list_audit);
}

// A browser's event stream sends its token in the URL, where it must not live long.
void add_stream_token_route(api::RouteTable& routes, const std::optional<TokenMaker>& tokens) {
    routes.add({"GET", "/api/stream-token", Permission::view_backups},
               [tokens](Call& call, sql::Database&) -> Result<http::Response> {
                   if (!tokens) return api::problem(404, "not_found", "tokens are signed elsewhere");
                   TokenOrder order;
                   order.subject = call.principal.id;
                   order.organization_id = call.organization_id;
                   order.role = auth::Role::viewer;
                   order.permissions = call.principal.permissions;
                   order.project_id = call.principal.project_id;
                   order.lifetime_s = kStreamTokenSeconds;
                   json::Object body;
                   body.emplace("token", tokens->make(order, call.now));
                   body.emplace("expiresAt",
                                json::encode(Timestamp{call.now / 1000 * 1000 + kStreamTokenSeconds * 1000}));
                   return api::json_answer(200, json::Value(std::move(body)));
               });
}

void add_admin_routes(api::RouteTable& routes, const AdminParts& parts) {
    add_organization_routes(routes);
    add_stream_token_route(routes, parts.tokens);
    add_project_routes(routes);
    add_environment_routes(routes);
    add_agent_routes(routes);
    add_key_routes(routes);
    add_destination_routes(routes, parts);
    add_subscription_routes(routes, parts);
}

}  // namespace backstay::admin_api
