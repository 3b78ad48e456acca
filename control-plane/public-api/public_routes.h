// /api/public/v1: what customers' scripts see, with an API key only. Names, errors and limits are those that users of
// OEC.sh know (contract/semantics.md 1.2, 13).
#pragma once

#include "control-plane/api/routes.h"

namespace backstay::public_api {

// Listing and showing backups.
void add_public_backup_routes(api::RouteTable& routes);

}  // namespace backstay::public_api
