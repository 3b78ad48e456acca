// /api/…/backup-schedule (contract/semantics.md 5).
#pragma once

#include "control-plane/api/routes.h"

namespace backstay::api {

void add_schedule_routes(RouteTable& routes);
void add_retention_routes(RouteTable& routes);  // the preview, and what an organization's schedules inherit

}  // namespace backstay::api
