// Where a backup or snapshot lies whole, so that it can be taken away from there.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "control-plane/public-api/items.h"
#include "control-plane/store/destinations.h"

namespace backstay::public_api {

struct Copy {
    store::DestinationRow destination;
    std::map<std::string, std::string> keys;  // by artifact
    int rank = 0;                             // 0: its store can presign; 1: read from here; 2: on its agent's host

    // What the backup's objects have in common; no trailing slash.
    std::string folder() const;
};

// The one that is reached best. `reader`: the agent that will read it; absent: this side, through the agent that looks
// at a local destination. 400 backup_not_completed; 409 not_downloadable when none in reach holds all of it, or it is
// of no use alone.
Result<Copy> best_copy(const api::Call& call, sql::Database& db, const Item& item,
                       const std::optional<std::string>& reader);

}  // namespace backstay::public_api
