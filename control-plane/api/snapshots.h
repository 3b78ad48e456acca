// /api/…/snapshots, their settings, and rollbacks (contract/semantics.md 7).
#pragma once

#include "control-plane/api/routes.h"
#include "control-plane/live/live.h"
#include "control-plane/operations/snapshots.h"

namespace backstay::api {

void add_snapshot_routes(RouteTable& routes, live::Live& live);
void add_snapshot_care_routes(RouteTable& routes, live::Live& live);  // delete, pin, unpin
void add_snapshot_settings_routes(RouteTable& routes);                // and the size of one
void add_rollback_routes(RouteTable& routes, live::Live& live);

// The snapshot that the path names, within the environment that it names.
Result<operations::SnapshotRow> snapshot_of_path(const Call& call, sql::Database& db);

}  // namespace backstay::api
