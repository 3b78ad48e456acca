#include <algorithm>

#include "common/domain/copies.h"
#include "common/ids.h"
#include "control-plane/api/operation_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/readable_copies.h"
#include "control-plane/api/restore_checks.h"
#include "control-plane/api/scope.h"
#include "control-plane/api/snapshots.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/store/place.h"

namespace backstay::api {
namespace {

using auth::Permission;
using operations::Kind;
using operations::RollbackRow;
using operations::SnapshotRow;

struct RollbackRequest {
    std::optional<std::string> snapshot_id;
    std::optional<std::string> target_environment_id;
    std::optional<bool> create_safety_snapshot;
};
BOOST_DESCRIBE_STRUCT(RollbackRequest, (), (snapshot_id, target_environment_id, create_safety_snapshot))

struct RollbackPlan {
    SnapshotRow snapshot;
    store::Environment source;
    store::Environment target;
    std::vector<store::DestinationRow> destinations;  // for when the host's own copy is gone
    bool safety = true;
    bool neutralize = false;
    bool other() const { return target.id != source.id; }
};

Result<SnapshotRow> wanted_snapshot(const Call& call, sql::Database& db, const RollbackRequest& request,
                                    const store::Environment& source) {
    const std::string id = request.snapshot_id.value_or("");
    if (id.empty()) return rule_broken("snapshot_required", "snapshotId", "which snapshot to go back to");
    if (!is_uuid(id)) return problem({{"snapshotId", "must be a UUID"}});
    auto row = TRY(find_snapshot(call, db, id));
    if (row.environment_id != source.id) {
        return rule_broken("snapshot_wrong_environment", "snapshotId", "it is of another environment");
    }
    return row;
}

Result<store::Environment> wanted_target(const Call& call, sql::Database& db, const RollbackRequest& request,
                                         const store::Environment& source) {
    const std::string id = request.target_environment_id.value_or("");
    if (id.empty() || id == source.id) return source;
    if (!is_uuid(id)) return problem({{"targetEnvironmentId", "must be a UUID"}});
    auto target = TRY(find_environment(call, db, id));
    if (target.project_id != source.project_id) {
        return rule_broken("target_not_allowed", "targetEnvironmentId", "it belongs to another project");
    }
    return target;
}

// Whoever deploys may take production back to where it was, safely. Anything else into production is for people who
// answer for it.
Result<> refuse_for_production(const Call& call, const RollbackPlan& plan) {
    if (plan.target.type != "production" || call.principal.may_restore_production()) return {};
    if (!plan.safety) {
        return problem(403, "forbidden", "production without a safety snapshot is for owners and administrators");
    }
    if (!plan.other()) return {};
    return problem(403, "forbidden", "another environment's data into production is for owners and administrators");
}

// A differential is read together with its base: from destinations that hold both.
Result<std::vector<store::DestinationRow>> readable(sql::Database& db, const SnapshotRow& row,
                                                    const std::string& agent_id) {
    auto found = TRY(readable_copies(db, row, agent_id));
    if (found.empty() || !row.base_id) return found;
    const auto base = TRY(operations::find_snapshot(db, row.organization_id, *row.base_id));
    if (!base) return std::vector<store::DestinationRow>();
    const auto with_base = TRY(readable_copies(db, *base, agent_id));
    std::erase_if(found, [&](const store::DestinationRow& one) {
        return std::none_of(with_base.begin(), with_base.end(), [&](const auto& other) { return other.id == one.id; });
    });
    return found;
}

// A host's own copy counts until its agent says that it is gone.
Result<bool> is_on_host(sql::Database& db, const SnapshotRow& row) {
    const auto copies = TRY(operations::copies_of(db, row.id));
    return std::none_of(copies.begin(), copies.end(),
                        [](const CopyRecord& copy) { return copy.destination_id == kHostPlace && !is_stored(copy); });
}

Result<> choose_places(sql::Database& db, RollbackPlan& plan) {
    plan.destinations = TRY(readable(db, plan.snapshot, plan.target.agent_id));
    if (!plan.destinations.empty()) return {};
    if (plan.target.agent_id != plan.snapshot.agent_id) {
        return rule_broken("target_not_allowed", "targetEnvironmentId",
                           "the snapshot lies on another agent's host, and no shared destination holds a copy");
    }
    if (TRY(is_on_host(db, plan.snapshot))) return {};
    return conflict("snapshot_not_usable", "neither the host nor a destination holds it any more");
}

Result<RollbackPlan> plan_request(const Call& call, sql::Database& db) {
    RollbackPlan plan;
    plan.source = TRY(find_environment(call, db, call.param("environmentId")));
    const auto request = TRY(body<RollbackRequest>(call));
    plan.snapshot = TRY(wanted_snapshot(call, db, request, plan.source));
    plan.target = TRY(wanted_target(call, db, request, plan.source));
    plan.safety = request.create_safety_snapshot.value_or(true);
    TRY(refuse_for_production(call, plan));
    if (!operations::is_usable_snapshot(plan.snapshot.status)) {
        return conflict("snapshot_not_usable", "the snapshot is " + plan.snapshot.status);
    }
    const auto busy = TRY(dispatch::busy_jobs_of_environment(db, plan.target.id));
    if (!busy.empty()) {
        return conflict("target_busy", busy.front().kind + " " + busy.front().operation_id + " works on the target");
    }
    TRY(choose_places(db, plan));
    const Manifest manifest = TRY(known_manifest(plan.snapshot.manifest, "snapshot_not_usable"));
    const auto inventory = TRY(store::inventory_of(db, plan.target.agent_id));
    if (const auto obstacle = version_obstacle(manifest, inventory, plan.target)) {
        return rule_broken("version_mismatch", "targetEnvironmentId", *obstacle);
    }
    plan.neutralize = must_neutralize(plan.target, plan.source, manifest);
    if (has_no_data(inventory, plan.target)) plan.safety = false;
    return plan;
}

Result<RollbackOrder> make_order(sql::Database& db, const RollbackPlan& plan, const std::string& id, TimeMs now) {
    RollbackOrder order;
    order.rollback_id = id;
    order.snapshot_id = plan.snapshot.id;
    order.folder = plan.snapshot.folder;
    order.destinations = dispatch::closed(plan.destinations);
    order.source = store::to_order(plan.source);
    order.target = store::to_order(plan.target);
    order.target_type = plan.other() ? "other" : "same";
    order.neutralize = plan.neutralize;
    order.new_uuid = plan.other();
    if (plan.safety) {
        const auto settings = TRY(store::SnapshotSettingsOf(db).ensure(plan.target, now));
        dispatch::SnapshotWish wish;
        wish.trigger = "pre_rollback";
        // Only on the host: nobody waits for an upload to get back to work.
        order.safety_snapshot = dispatch::make_snapshot_order(plan.target, wish, settings, {}, new_ordered_uuid(), now);
    }
    return order;
}

Result<> enqueue_rollback(const Call& call, sql::Database& db, const RollbackPlan& plan, const std::string& id,
                          dispatch::Stir& stir) {
    RollbackRow row;
    row.id = id;
    row.organization_id = call.organization_id;
    row.snapshot_id = plan.snapshot.id;
    row.source_environment_id = plan.source.id;
    row.target_environment_id = plan.target.id;
    row.agent_id = plan.target.agent_id;
    row.deployment_id = plan.snapshot.deployment_id;
    row.created_at = call.now;
    row.performed_by = call.principal.name;
    TRY(operations::insert_rollback(db, row));
    const RollbackOrder order = TRY(make_order(db, plan, id, call.now));
    dispatch::NewJob job;
    job.kind = "rollback";
    job.agent_id = plan.target.agent_id;
    job.order = json::encode(order).as_object();
    job.timeout_ms = dispatch::kRollbackTimeoutMs;
    job.operation.id = id;
    job.operation.kind = Kind::rollback;
    job.operation.organization_id = call.organization_id;
    job.operation.environment_id = plan.target.id;
    job.operation.backup_id = plan.snapshot.id;
    // As far as it is known here; the agent adds what depends on its host.
    RollbackShape shape;
    shape.safety_snapshot = plan.safety;
    shape.neutralize = plan.neutralize;
    shape.new_uuid = plan.other();
    job.operation.plan = plan_rollback(shape);
    job.operation.performed_by = call.principal.name;
    return dispatch::enqueue(db, std::move(job), call.now, stir);
}

Result<http::Response> create(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const RollbackPlan plan = TRY(plan_request(call, db));
    TRY(refuse_when_away(db, plan.target.agent_id, call.now));
    const std::string id = new_ordered_uuid();
    dispatch::Stir stir;
    TRY(enqueue_rollback(call, db, plan, id, stir));
    TRY(note_audit(call, db, "snapshot.rollback", plan.snapshot.id, plan.target.id));
    live.after_commit(call, stir);
    json::Object answer;
    answer["deploymentId"] = id;
    answer["environmentId"] = plan.target.id;
    answer["message"] = "the rollback is queued";
    answer["snapshotId"] = plan.snapshot.id;
    auto response = json_answer(202, json::Value(std::move(answer)));
    response.headers.set("Location", "/api/operations/rollback/" + id);
    return response;
}

Result<http::Response> list(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const store::Page page = TRY(page_of(call, 50));
    const auto found = TRY(operations::list_rollbacks(db, call.organization_id, environment.id, page.limit, page.offset,
                                                      call.principal.project_id.value_or("")));
    Names names(db, call.organization_id, call.now);
    json::Array logs;
    for (const RollbackRow& row : found.rows) logs.push_back(TRY(rollback_answer(names, row)));
    json::Object body;
    body["rollbackLogs"] = std::move(logs);
    body["total"] = found.total;
    return json_answer(200, json::Value(std::move(body)));
}

}  // namespace

void add_rollback_routes(RouteTable& routes, live::Live& live) {
    routes.add_write({"POST", "/api/environments/{environmentId}/rollback", Permission::manage_restores},
                     [&live](Call& call, sql::Transaction& t) { return create(call, t, live); });
    routes.add({"GET", "/api/environments/{environmentId}/rollback-logs", Permission::view_backups}, list);
    RouteSpec progress{"GET", "/api/deployments/{deploymentId}/rollback/progress", Permission::view_backups};
    progress.query_token = true;
    routes.add_loop(progress, [&live](Call call, std::unique_ptr<http::Exchange> exchange) {
        live.streams().open(std::move(call), std::move(exchange),
                            [](Call& asked, sql::Database& db) -> Result<std::string> {
                                return TRY(find_rollback(asked, db, asked.param("deploymentId"))).id;
                            });
    });
}

}  // namespace backstay::api
