// Administration under /api: organizations, projects, environments, agents, enrolment tokens, API keys, backup
// destinations, the audit trail, and tokens for event streams. Additive to the contract (semantics.md 2 and 11).
#pragma once

#include <functional>
#include <optional>

#include "common/crypto/secret_box.h"
#include "control-plane/api/routes.h"
#include "control-plane/config/installation.h"
#include "control-plane/registry/destinations.h"
#include "control-plane/store/audit.h"

namespace backstay::admin_api {

struct AdminParts {
    const SecretBox& box;              // outlives the routes
    std::optional<TokenMaker> tokens;  // absent: tokens are signed elsewhere
    http::AddressRule address_rule;    // for connection tests
    http::AddressRule webhook_rule;
    bool mail_works = false;
    // Asks an agent to test a destination, in the caller's transaction.
    std::function<Result<>(api::Call&, sql::Transaction&, const std::string& agent_id, const DestinationOrder&)>
        order_test;
};

void add_admin_routes(api::RouteTable& routes, const AdminParts& parts);

// The pieces of the above, one for each resource.
void add_organization_routes(api::RouteTable& routes);
void add_stream_token_route(api::RouteTable& routes, const std::optional<TokenMaker>& tokens);
void add_project_routes(api::RouteTable& routes);
void add_environment_routes(api::RouteTable& routes);
void add_agent_routes(api::RouteTable& routes);
void add_key_routes(api::RouteTable& routes);
void add_destination_routes(api::RouteTable& routes, const AdminParts& parts);
void add_subscription_routes(api::RouteTable& routes, const AdminParts& parts);

// Who acts in a call.
inline registry::Actor actor_of(const api::Call& call) {
    return {call.principal.name,
            call.request_id,
            call.now,
            call.principal.id,
            api::request_line(call.request),
            store::peer_address(call.request.peer)};
}

}  // namespace backstay::admin_api
