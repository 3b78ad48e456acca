#include "control-plane/dispatch/order_backup.h"

#include <algorithm>

#include "common/ids.h"
#include "common/json/json.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/operations/history.h"

namespace backstay::dispatch {

std::vector<DestinationOrder> closed(const std::vector<store::DestinationRow>& rows) {
    std::vector<DestinationOrder> out;
    for (const store::DestinationRow& row : rows) out.push_back({row.id, row.name, row.type, {}});
    return out;
}

std::vector<std::string> encrypted_for(const std::vector<store::DestinationRow>& rows) {
    std::vector<std::string> ids;
    if (std::none_of(rows.begin(), rows.end(), [](const auto& row) { return row.encrypt; })) return ids;
    for (const store::DestinationRow& row : rows) ids.push_back(row.id);
    return ids;
}

BackupOrder make_backup_order(const store::Environment& environment, const BackupWish& wish,
                              const std::vector<store::DestinationRow>& destinations, std::string backup_id,
                              TimeMs now) {
    BackupOrder order;
    order.backup_id = std::move(backup_id);
    order.scope = wish.scope;
    order.trigger = wish.trigger;
    order.label = wish.label;
    order.created_at = {now};
    order.environment = store::to_order(environment);
    order.destinations = closed(destinations);
    order.encrypt_for = encrypted_for(destinations);
    if (wish.due_at) order.due_at = Timestamp{*wish.due_at};
    return order;
}

Result<std::string> order_backup(sql::Database& db, const store::Environment& environment, const BackupWish& wish,
                                 const std::vector<store::DestinationRow>& destinations, TimeMs now, Stir& stir) {
    const std::string id = wish.backup_id.empty() ? new_ordered_uuid() : wish.backup_id;
    const BackupOrder order = make_backup_order(environment, wish, destinations, id, now);
    operations::BackupRow row;
    row.id = order.backup_id;
    row.organization_id = environment.organization_id;
    row.project_id = environment.project_id;
    row.environment_id = environment.id;
    row.agent_id = environment.agent_id;
    row.scope = wish.scope;
    row.trigger_kind = wish.trigger;
    row.label = wish.label;
    row.retention = wish.retention;
    row.created_at = now;
    row.performed_by = wish.performed_by;
    TRY(operations::insert_backup(db, row));

    std::vector<std::string> ids;
    for (const store::DestinationRow& destination : destinations) ids.push_back(destination.id);
    NewJob job;
    job.kind = "backup";
    job.agent_id = environment.agent_id;
    job.order = json::encode(order).as_object();
    job.operation.id = row.id;
    job.operation.kind = operations::Kind::backup;
    job.operation.organization_id = row.organization_id;
    job.operation.environment_id = row.environment_id;
    job.operation.backup_id = row.id;
    job.operation.plan = plan_backup(wish.scope, ids, false);
    job.operation.performed_by = wish.performed_by;
    TRY(enqueue(db, std::move(job), now, stir));
    return row.id;
}

}  // namespace backstay::dispatch
