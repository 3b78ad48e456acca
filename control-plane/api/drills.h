// /api/environments/{id}/drills: restore drills of an environment.
#pragma once

#include "control-plane/api/routes.h"
#include "control-plane/live/live.h"
#include "control-plane/operations/drills.h"
#include "control-plane/store/environments.h"

namespace backstay::api {

// What they found, how often, and one now.
void add_drill_routes(RouteTable& routes, live::Live& live);

// What PUT answers, and the head of the list.
Result<json::Object> drills_view(sql::Database& db, const store::Environment& environment);
Result<json::Object> drill_list_view(sql::Database& db, const store::Environment& environment,
                                     const operations::OperationPage& found);

}  // namespace backstay::api
