// Which routes there are: every folder of the API registers its own here.
#pragma once

#include "common/crypto/secret_box.h"
#include "control-plane/admin-api/admin_routes.h"
#include "control-plane/api/routes.h"
#include "control-plane/browse/browser.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/live/live.h"
#include "control-plane/relay/pass_on.h"
#include "control-plane/serve/health_routes.h"

namespace backstay::serve {

// What the routes stand on; all of it outlives them.
struct RouteParts {
    const SecretBox& box;
    std::optional<TokenMaker> tokens;
    http::AddressRule address_rule;
    http::AddressRule webhook_rule;
    bool mail_works = false;
    live::Live& live;
    browse::Browser& browser;
    relay::StorageDesk& desk;
    relay::Pumps& pumps;
    relay::PassOn& others;
    Health& health;
};

void add_all_routes(api::RouteTable& routes, const RouteParts& parts);

// Destinations as orders get them: looked up when a job is handed out.
dispatch::OpenDestination destination_opener(const SecretBox& box);

}  // namespace backstay::serve
