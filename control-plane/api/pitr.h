// Moments that an environment can be brought back to (contract/semantics.md 6): what its cluster's archive covers, and
// the order for one of them.
#pragma once

#include <optional>
#include <string>

#include "common/domain/orders.h"
#include "control-plane/api/call.h"
#include "control-plane/store/environments.h"

namespace backstay::api {

// Checks the moment and says where its database comes from. 400 when it is no time with an offset; 422
// pitr_out_of_window or pitr_in_gap, with the nearest reachable moments in `detail`; 422 target_not_allowed when the
// target's agent cannot read the archive. `with_filestore`: 409 backup_not_restorable when no full backup has one.
struct PitrWish {
    std::string timestamp;
    bool with_filestore = true;
};
Result<PitrOrder> plan_pitr(const Call& call, sql::Database& db, const store::Environment& source,
                            const store::Environment& target, const PitrWish& wish);

}  // namespace backstay::api
