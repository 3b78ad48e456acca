#include "control-plane/dispatch/order_snapshot.h"

#include <algorithm>

#include "common/domain/layout.h"
#include "common/ids.h"
#include "common/json/json.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/dispatch/order_removal.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/removal_hold.h"

namespace backstay::dispatch {
namespace {

using operations::SnapshotRow;

// After the agent's own limit: its word comes first.
constexpr std::int64_t kTimeoutGraceMs = kMinute;
constexpr std::int64_t kRemovedAtOnce = 50;

Result<std::vector<store::DestinationRow>> destinations_of(sql::Database& db, const store::Environment& environment,
                                                           const store::SnapshotSettings& settings) {
    std::vector<store::DestinationRow> out;
    for (const std::string& id : settings.destination_ids) {
        auto row = TRY(store::Destinations(db).find(environment.organization_id, id));
        if (row) out.push_back(std::move(*row));
    }
    return out;
}

std::string folder_of(const SnapshotRow& row) {
    if (!row.folder.empty()) return row.folder;
    return layout::snapshot_folder({row.organization_id, row.project_id.value_or(""), row.environment_id.value_or("")},
                                   row.id);
}

// Whose host has it; when that agent is gone for good, whoever reaches the copies; "": nobody.
Result<std::string> remover_of(sql::Database& db, const SnapshotRow& row, const Care& care) {
    if (TRY(store::Agents(db).find(row.organization_id, row.agent_id))) return row.agent_id;
    return care.where.empty() ? std::string() : care.agent_id;
}

// A snapshot that is being taken may build on a full one that goes away meanwhile.
Result<bool> is_quiet(sql::Database& db, const SnapshotRow& row) {
    if (!row.environment_id) return true;
    const auto jobs = TRY(busy_jobs_of_environment(db, *row.environment_id));
    return std::none_of(jobs.begin(), jobs.end(),
                        [](const Job& job) { return job.kind == "snapshot" || job.kind == "rollback"; });
}

}  // namespace

SnapshotOrder make_snapshot_order(const store::Environment& environment, const SnapshotWish& wish,
                                  const store::SnapshotSettings& settings,
                                  const std::vector<store::DestinationRow>& destinations, std::string snapshot_id,
                                  TimeMs now) {
    SnapshotOrder order;
    order.snapshot_id = std::move(snapshot_id);
    order.trigger = wish.trigger;
    order.label = wish.label;
    order.created_at = {now};
    order.environment = store::to_order(environment);
    order.deployment_id = wish.deployment_id;
    order.commit_sha = wish.commit_sha;
    order.image_tag = wish.image_tag;
    order.destinations = closed(destinations);
    order.encrypt_for = encrypted_for(destinations);
    order.timeout_ms = settings.timeout_seconds * 1000;
    return order;
}

SnapshotRow make_snapshot_row(const SnapshotOrder& order, const SnapshotOrigin& origin) {
    SnapshotRow row;
    row.id = order.snapshot_id;
    row.organization_id = origin.organization_id;
    if (origin.environment) {
        row.project_id = origin.environment->project_id;
        row.environment_id = origin.environment->id;
    }
    row.agent_id = origin.agent_id;
    row.trigger_kind = order.trigger.empty() ? "manual" : order.trigger;
    row.label = order.label;
    row.deployment_id = order.deployment_id;
    row.commit_sha = order.commit_sha;
    row.image_tag = order.image_tag;
    row.failure_policy = origin.failure_policy;
    for (const DestinationOrder& destination : order.destinations) row.destination_ids.push_back(destination.id);
    row.remote_status = row.destination_ids.empty() ? "none" : "pending";
    row.created_at = order.created_at.ms;
    row.performed_by = origin.performed_by;
    return row;
}

Result<SnapshotRow> order_snapshot(sql::Database& db, const store::Environment& environment, const SnapshotWish& wish,
                                   TimeMs now, Stir& stir) {
    const auto settings = TRY(store::SnapshotSettingsOf(db).ensure(environment, now));
    const auto destinations = TRY(destinations_of(db, environment, settings));
    const SnapshotOrder order = make_snapshot_order(environment, wish, settings, destinations, new_ordered_uuid(), now);
    SnapshotRow row = make_snapshot_row(order, {environment.organization_id, environment, environment.agent_id,
                                                settings.failure_policy, wish.performed_by});
    row.folder = folder_of(row);
    TRY(operations::insert_snapshot(db, row));

    NewJob job;
    job.kind = "snapshot";
    job.agent_id = environment.agent_id;
    job.order = json::encode(order).as_object();
    job.timeout_ms = order.timeout_ms + kTimeoutGraceMs;
    job.operation.id = row.id;
    job.operation.kind = operations::Kind::snapshot;
    job.operation.organization_id = row.organization_id;
    job.operation.environment_id = row.environment_id;
    job.operation.backup_id = row.id;
    job.operation.plan = plan_snapshot(row.destination_ids);
    job.operation.performed_by = wish.performed_by;
    TRY(enqueue(db, std::move(job), now, stir));
    return row;
}

Result<std::string> remove_snapshot(sql::Database& db, SnapshotRow& row, const std::string& performed_by, TimeMs now,
                                    Stir& stir) {
    auto found = care_for(db, row, false);
    if (!found && found.error().reason() != "no_agent") return std::move(found).error();
    const Care care = found ? std::move(*found) : Care{};
    const std::string left = TRY(left_behind(db, row, care));
    const std::string agent_id = TRY(remover_of(db, row, care));
    if (row.status != "deleting") row.error_message.reset();
    row.status = "deleting";
    if (!left.empty()) row.error_message = "its files stay in " + left;
    if (agent_id.empty() || !row.started_at) {
        row.status = "deleted";
        row.deleted_at = now;
        TRY(operations::update_snapshot(db, row));
        return left;
    }
    TRY(operations::update_snapshot(db, row));
    NewJob job = job_about(row, operations::Kind::deletion, "delete_snapshot", agent_id, performed_by);
    job.operation.subject = row.id;
    const DeleteSnapshotOrder order{job.operation.id, row.id, folder_of(row), closed(care.where)};
    job.order = json::encode(order).as_object();
    TRY(enqueue(db, std::move(job), now, stir));
    return left;
}

Result<> remove_expired_snapshots(sql::Database& db, TimeMs now, Stir& stir) {
    if (TRY(store::removals_held_until(db, now))) return {};
    for (SnapshotRow& row : TRY(operations::expired_snapshots(db, now, kRemovedAtOnce))) {
        if (!TRY(is_quiet(db, row))) continue;
        const std::string left = TRY(remove_snapshot(db, row, "system", now, stir));
        store::AuditEntry entry;
        entry.organization_id = row.organization_id;
        entry.at = now;
        entry.actor = "system";
        entry.action = "snapshot.expire";
        entry.object_id = row.id;
        entry.detail = left.empty() ? "" : "its files stay in " + left;
        TRY(store::Audit(db).add(entry));
    }
    return {};
}

}  // namespace backstay::dispatch
