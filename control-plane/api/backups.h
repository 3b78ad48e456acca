// /api/backups and the backup lists of environments and projects.
#pragma once

#include "control-plane/api/routes.h"
#include "control-plane/live/live.h"

namespace backstay::api {

void add_backup_routes(RouteTable& routes, live::Live& live);
void add_backup_care_routes(RouteTable& routes, live::Live& live);  // delete, cancel, verify, copy
void add_restore_routes(RouteTable& routes, live::Live& live);
void add_pitr_routes(RouteTable& routes);
void add_operation_routes(RouteTable& routes, live::Live& live);
void add_openapi_route(RouteTable& routes);

}  // namespace backstay::api
