// Ordering a snapshot, and the removal of one: by people, before a deployment, or because its time is over.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/orders.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/snapshot_settings.h"

namespace backstay::dispatch {

struct SnapshotWish {
    std::string trigger = "manual";
    std::optional<std::string> label;
    std::optional<std::string> deployment_id;
    std::optional<std::string> commit_sha;
    std::optional<std::string> image_tag;
    std::string performed_by;
};

// With its destinations named but closed.
SnapshotOrder make_snapshot_order(const store::Environment& environment, const SnapshotWish& wish,
                                  const store::SnapshotSettings& settings,
                                  const std::vector<store::DestinationRow>& destinations, std::string snapshot_id,
                                  TimeMs now);

// The row of an order; `environment` is absent when it is unknown here.
struct SnapshotOrigin {
    std::string organization_id;
    std::optional<store::Environment> environment;
    std::string agent_id;
    std::string failure_policy;
    std::string performed_by;
};
operations::SnapshotRow make_snapshot_row(const SnapshotOrder& order, const SnapshotOrigin& origin);

// Inside the caller's transaction. A destination of the settings that is gone by now is left out.
Result<operations::SnapshotRow> order_snapshot(sql::Database& db, const store::Environment& environment,
                                               const SnapshotWish& wish, TimeMs now, Stir& stir);

// Marks it and orders its agent to remove it everywhere; one that never began is gone at once. Answers what stays
// because nobody reaches it: "the host of a removed agent"; empty: nothing. The caller has checked that it may go.
Result<std::string> remove_snapshot(sql::Database& db, operations::SnapshotRow& row, const std::string& performed_by,
                                    TimeMs now, Stir& stir);

// Removes snapshots whose time is over. Called by the sweep.
Result<> remove_expired_snapshots(sql::Database& db, TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
