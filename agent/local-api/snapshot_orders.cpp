// Orders about snapshots.
#include <fmt/format.h>

#include <algorithm>

#include "agent/local-api/order_parts.h"
#include "agent/local-api/orders.h"
#include "agent/state/snapshots.h"
#include "common/ids.h"

namespace backstay::local_api {
namespace {

SnapshotOrder snapshot_of(const Maker& maker, EnvironmentOrder environment, std::string trigger) {
    SnapshotOrder order;
    order.snapshot_id = new_uuid();
    order.trigger = std::move(trigger);
    order.created_at = {maker.clock.now_ms()};
    order.environment = std::move(environment);
    return order;
}

// Where it lies besides this host, as far as the configuration tells how to get there.
std::vector<DestinationOrder> copies_of(const AgentConfig& config, const SnapshotRow& snapshot) {
    std::vector<DestinationOrder> found;
    for (const std::string& id : snapshot.destination_ids) {
        if (const DestinationOrder* destination = find_destination(config, id)) found.push_back(*destination);
    }
    return found;
}

}  // namespace

Result<SnapshotOrder> make_snapshot(const SnapshotRequest& request, const Maker& maker) {
    const std::string trigger = request.trigger.value_or("manual");
    TRY(one_of("trigger", trigger, {"manual", "pre_deploy", "pre_rollback", "pre_restore", "pre_upgrade"}));
    if (request.label && request.label->size() > 200) return Error(Errc::invalid, "label: at most 200 bytes");
    EnvironmentOrder where = TRY(environment(maker, request.database, request.cluster));
    SnapshotOrder order = snapshot_of(maker, std::move(where), trigger);
    order.label = request.label;
    order.full_filestore = request.full.value_or(false);
    if (request.destinations && !request.destinations->empty()) {
        order.destinations = TRY(pick_destinations(maker.config, request.destinations));
        order.encrypt_for = encrypted_for(maker.config, order.destinations);
    }
    return order;
}

Result<RollbackOrder> make_rollback(const RollbackRequest& request, const Maker& maker) {
    const SnapshotRow snapshot = TRY(SnapshotRepository(maker.database).look_up(request.snapshot));
    if (snapshot.status == "deleting") {
        return Error(Errc::conflict, fmt::format("snapshot {} is being removed", snapshot.snapshot_id));
    }
    RollbackOrder order;
    order.rollback_id = new_uuid();
    order.snapshot_id = snapshot.snapshot_id;
    order.folder = snapshot.folder;
    order.destinations = copies_of(maker.config, snapshot);
    order.source = snapshot.environment_order;
    Target target =
        TRY(find_target({request.database, request.cluster, request.filestore}, order.source, snapshot.cluster, maker));
    order.target_type = target.type();
    order.neutralize = request.neutralize.value_or(!target.same);
    order.new_uuid = request.new_uuid.value_or(!target.same);
    order.target = std::move(target.environment);
    if (request.keep_previous_ms) order.keep_previous_ms = TRY(keep_previous(*request.keep_previous_ms));
    if (request.safety_snapshot.value_or(true)) {
        order.safety_snapshot = snapshot_of(maker, order.target, "pre_rollback");
    }
    return order;
}

Result<DeleteSnapshotOrder> make_delete_snapshot(const std::string& id, const Maker& maker) {
    SnapshotRepository snapshots(maker.database);
    const SnapshotRow snapshot = TRY(snapshots.look_up(id));
    const auto others = TRY(snapshots.dependents(snapshot.snapshot_id));
    if (!others.empty()) {
        return Error(Errc::conflict, fmt::format("{} differential snapshots build on {}, {} among them", others.size(),
                                                 snapshot.snapshot_id, others.front()))
            .with_hint("remove those first");
    }
    if (const auto rollback = TRY(snapshots.rollback_using(snapshot.snapshot_id))) {
        return Error(Errc::conflict, fmt::format("rollback {} works with {}", *rollback, snapshot.snapshot_id))
            .with_hint("wait for its end");
    }
    DeleteSnapshotOrder order;
    order.deletion_id = new_uuid();
    order.snapshot_id = snapshot.snapshot_id;
    order.folder = snapshot.folder;
    order.destinations = copies_of(maker.config, snapshot);
    return order;
}

}  // namespace backstay::local_api
