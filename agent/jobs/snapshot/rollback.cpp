// Back to a snapshot: a restoration from the host's own copy, else from destinations, in the steps of a rollback.
#include <fmt/format.h>

#include "agent/jobs/restore/restoration.h"
#include "agent/jobs/snapshot/own_place.h"
#include "agent/jobs/snapshots.h"

namespace backstay {
namespace {

RestoreOrder restore_order(const RollbackOrder& order, const snapshot::OwnPlace& place) {
    RestoreOrder restore;
    restore.restore_id = order.rollback_id;
    restore.backup_id = order.snapshot_id;
    restore.folder = order.folder;
    restore.destinations = order.destinations;
    restore.destinations.insert(restore.destinations.begin(), place.destination());
    restore.source = order.source;
    restore.target = order.target;
    restore.target_type = order.target_type;
    restore.scope = "all";
    restore.neutralize = order.neutralize;
    restore.new_uuid = order.new_uuid;
    restore.keep_previous_ms = order.keep_previous_ms;
    restore.timeout_ms = order.timeout_ms;
    return restore;
}

}  // namespace

Result<RestoreOutcome> run_rollback(const RollbackOrder& order, const JobHost& host, Steps& steps,
                                    const SafetySnapshotRunner& safety_snapshot) {
    const snapshot::OwnPlace place(host);
    const RestoreOrder restore = restore_order(order, place);
    restore::RollbackWay way;
    if (order.safety_snapshot) {
        way.make_safety = [&]() -> Result<restore::RollbackWay::Safety> {
            const auto made = TRY(safety_snapshot(*order.safety_snapshot));
            restore::RollbackWay::Safety safety;
            safety.id = order.safety_snapshot->snapshot_id;
            safety.testimony.summary =
                fmt::format("snapshot {} of the target, {} bytes", safety.id, made.made.size_bytes);
            safety.testimony.facts = {{"snapshot_id", safety.id}, {"folder", made.made.folder}};
            safety.testimony.proofs = {"safety_snapshot:id"};
            return safety;
        };
    }
    return restore::Restoration(restore, place.host(), steps, {}, std::move(way)).run();
}

}  // namespace backstay
