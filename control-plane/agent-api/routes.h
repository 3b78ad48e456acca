// /agent/v1, the server's side of control-plane-client/protocol.h.
#pragma once

#include <functional>

#include "control-plane/agent-api/assignment_polls.h"
#include "control-plane/api/routes.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/relay/pass_on.h"
#include "control-plane/relay/pumps.h"
#include "control-plane/relay/storage_desk.h"

namespace backstay::agent_api {

// `stirred` runs on the loop thread after a commit; `open` opens the destinations of schedules.
void add_agent_routes(api::RouteTable& routes, AssignmentPolls& polls, dispatch::OpenDestination open,
                      std::function<void(const dispatch::Stir&)> stirred);
// Answers to storage requests; all outlive the routes. `others`: for what another replica waits for.
void add_storage_routes(api::RouteTable& routes, relay::Pumps& pumps, relay::StorageDesk& desk, relay::PassOn& others);

}  // namespace backstay::agent_api
