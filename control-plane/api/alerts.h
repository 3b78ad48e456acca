// The routes of alerts (contract/semantics.md 13, rows 1 to 4).
#pragma once

#include "control-plane/api/routes.h"

namespace backstay::api {

void add_alert_routes(RouteTable& routes);

}  // namespace backstay::api
