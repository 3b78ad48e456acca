#include "control-plane/api/restore_checks.h"

#include "common/ids.h"
#include "control-plane/api/backups.h"
#include "control-plane/api/operation_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_backup.h"

namespace backstay::api {
namespace {

using auth::Permission;
using operations::BackupRow;
using operations::Kind;
using operations::RestoreRow;

RestoreOrder make_order(const Call& call, const BackupRow& backup, const RestorePlan& plan, const std::string& id) {
    RestoreOrder order;
    order.restore_id = id;
    order.backup_id = backup.id;
    order.folder = backup.folder;
    for (const auto& row : plan.destinations) order.destinations.push_back({row.id, row.name, row.type, {}});
    order.target = store::to_order(plan.target);
    if (plan.source) {
        order.source = store::to_order(*plan.source);
    } else {
        order.source.organization_id = backup.organization_id;
        order.source.project_id = backup.project_id.value_or("");
        order.source.environment_id = backup.environment_id.value_or("");
    }
    order.target_type = plan.target_type;
    order.scope = plan.scope;
    order.neutralize = plan.neutralize;
    order.new_uuid = plan.new_uuid;
    order.pitr = plan.pitr;
    if (!plan.safety.empty()) {
        dispatch::BackupWish wish;
        wish.scope = plan.scope == "db" ? "db" : "full";
        wish.trigger = "pre_restore";
        order.safety_backup = dispatch::make_backup_order(plan.target, wish, plan.safety, new_ordered_uuid(), call.now);
    }
    return order;
}

// What the operation must prove as far as it is known here; the agent adds what depends on its host.
OperationPlan first_plan(const BackupRow& backup, const RestorePlan& plan) {
    RestoreShape shape;
    shape.scope = plan.scope;
    shape.pitr = plan.pitr.has_value();
    shape.with_filestore = plan.pitr ? plan.scope == "all" : backup.scope != "db";
    shape.safety_backup = !plan.safety.empty();
    shape.neutralize = plan.neutralize;
    shape.new_uuid = plan.new_uuid;
    return plan_restore(shape);
}

Result<> enqueue_restore(const Call& call, sql::Database& db, const BackupRow& backup, const RestorePlan& plan,
                         const std::string& id, dispatch::Stir& stir) {
    RestoreRow row;
    row.id = id;
    row.organization_id = call.organization_id;
    row.backup_id = backup.id;
    row.source_environment_id = backup.environment_id;
    row.target_environment_id = plan.target.id;
    row.agent_id = plan.target.agent_id;
    row.target_type = plan.target_type;
    row.scope = plan.scope;
    row.created_at = call.now;
    row.performed_by = call.principal.name;
    TRY(operations::insert_restore(db, row));
    dispatch::NewJob job;
    job.kind = "restore";
    job.agent_id = plan.target.agent_id;
    job.order = json::encode(make_order(call, backup, plan, id)).as_object();
    job.timeout_ms = dispatch::kRestoreTimeoutMs;
    job.operation.id = id;
    job.operation.kind = Kind::restore;
    job.operation.organization_id = call.organization_id;
    job.operation.environment_id = plan.target.id;
    job.operation.backup_id = backup.id;
    job.operation.plan = first_plan(backup, plan);
    job.operation.performed_by = call.principal.name;
    return dispatch::enqueue(db, std::move(job), call.now, stir);
}

Result<http::Response> create(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const BackupRow backup = TRY(find_backup(call, db, call.param("backupId")));
    const auto request = TRY(body<RestoreRequest>(call));
    const RestorePlan plan = TRY(plan_restore_request(call, db, backup, request));
    TRY(refuse_when_away(db, plan.target.agent_id, call.now));
    const std::string id = new_ordered_uuid();
    dispatch::Stir stir;
    TRY(enqueue_restore(call, db, backup, plan, id, stir));
    TRY(note_audit(call, db, "backup.restore", backup.id, plan.target.id));
    live.after_commit(call, stir);
    json::Object answer;
    answer["backupId"] = backup.id;
    answer["message"] = "the restore is queued";
    answer["target"] = plan.target_type;
    answer["targetEnvironmentId"] = plan.target.id;
    answer["restoreLogId"] = id;
    auto response = json_answer(202, json::Value(std::move(answer)));
    response.headers.set("Location", "/api/restores/" + id);
    return response;
}

Result<http::Response> list(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const store::Page page = TRY(page_of(call, 50));
    const auto found = TRY(operations::list_restores(db, call.organization_id, environment.id, page.limit, page.offset,
                                                     call.principal.project_id.value_or("")));
    Names names(db, call.organization_id, call.now);
    json::Array logs;
    for (const RestoreRow& row : found.rows) logs.push_back(TRY(restore_answer(names, row)));
    json::Object body;
    body["restoreLogs"] = std::move(logs);
    body["total"] = found.total;
    return json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> show(Call& call, sql::Database& db) {
    const RestoreRow row = TRY(find_restore(call, db, call.param("restoreId")));
    Names names(db, call.organization_id, call.now);
    const json::Value answer = TRY(restore_answer(names, row));
    return json_answer(200, answer);
}

// The latest restore of the backup that the caller may see, or the one that the query names.
Result<std::string> restore_to_follow(Call& call, sql::Database& db) {
    const BackupRow backup = TRY(find_backup(call, db, call.param("backupId")));
    const std::string* wanted = call.request.query_value("restoreLogId");
    std::optional<RestoreRow> row;
    if (wanted != nullptr) {
        if (!is_uuid(*wanted)) return problem(400, "invalid_id", "restoreLogId must be a UUID");
        auto named = find_restore(call, db, *wanted);
        if (!named && named.error().reason() != "not_found") return std::move(named).error();
        if (named && named->backup_id == backup.id) row = std::move(*named);
    } else {
        row = TRY(
            operations::latest_restore_of(db, call.organization_id, backup.id, call.principal.project_id.value_or("")));
    }
    if (!row) return problem(404, "no_restore", "this backup was never restored");
    return row->id;
}

Result<http::Response> cancel(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const RestoreRow row = TRY(find_restore(call, db, call.param("restoreId")));
    if (row.status != "pending" && row.status != "running") {
        return conflict("not_running", "the restore has ended: " + row.status);
    }
    const auto operation = TRY(operations::find_operation(db, row.id));
    if (!operation) return conflict("not_running", "no job makes this restore");
    dispatch::Stir stir;
    const bool ended = TRY(dispatch::cancel_job(db, operation->job_id, call.now, stir));
    TRY(note_audit(call, db, "restore.cancel", row.id));
    live.after_commit(call, stir);
    return message_answer(202, ended ? "the restore is cancelled" : "the agent is asked to stop");
}

Result<store::Environment> undo_target(const Call& call, sql::Database& db, const RestoreRow& row) {
    if (row.undone_at) return conflict("already_undone", "this restore is undone already");
    if (row.status != "completed" && row.status != "partial") {
        return conflict("not_undoable", "the restore is " + row.status);
    }
    if (!row.keep_until || call.now >= *row.keep_until) {
        return conflict("undo_expired", "what was there before is not kept any more");
    }
    auto target = TRY(find_environment(call, db, row.target_environment_id.value_or("")));
    if (target.type == "production" && !call.principal.may_restore_production()) {
        return problem(403, "forbidden", "changing production back is for owners and administrators");
    }
    const auto busy = TRY(dispatch::busy_jobs_of_environment(db, target.id));
    if (!busy.empty()) {
        return conflict("target_busy", busy.front().kind + " " + busy.front().operation_id + " works on the target");
    }
    const auto newer = TRY(operations::list_restores(db, call.organization_id, target.id, 1, 0));
    if (!newer.rows.empty() && newer.rows.front().id != row.id &&
        newer.rows.front().target_environment_id == target.id && newer.rows.front().keep_until) {
        return conflict("not_latest", "a later restore into this environment stands in the way");
    }
    for (const auto& rollback : TRY(operations::list_rollbacks(db, call.organization_id, target.id, 20, 0)).rows) {
        const bool swapped = rollback.target_environment_id == target.id && rollback.keep_until;
        if (swapped && rollback.created_at >= row.created_at) {
            return conflict("not_latest", "a later rollback of this environment stands in the way");
        }
    }
    return target;
}

Result<http::Response> undo(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const RestoreRow row = TRY(find_restore(call, db, call.param("restoreId")));
    const store::Environment target = TRY(undo_target(call, db, row));
    TRY(refuse_when_away(db, row.agent_id, call.now));
    dispatch::NewJob job;
    job.kind = "undo";
    job.agent_id = row.agent_id;
    job.operation.id = new_ordered_uuid();
    job.operation.kind = Kind::undo;
    job.operation.organization_id = call.organization_id;
    job.operation.environment_id = target.id;
    job.operation.backup_id = row.backup_id;
    job.operation.subject = row.id;
    job.operation.performed_by = call.principal.name;
    UndoOrder order;
    order.undo_id = job.operation.id;
    order.restore_id = row.id;
    order.target = store::to_order(target);
    job.order = json::encode(order).as_object();
    dispatch::Stir stir;
    TRY(dispatch::enqueue(db, std::move(job), call.now, stir));
    TRY(note_audit(call, db, "restore.undo", row.id));
    live.after_commit(call, stir);
    json::Object answer;
    answer["restoreLogId"] = row.id;
    answer["undoId"] = order.undo_id;
    answer["message"] = "the previous database and filestore are being put back";
    return json_answer(202, json::Value(std::move(answer)));
}

}  // namespace

void add_restore_routes(RouteTable& routes, live::Live& live) {
    using Action = Result<http::Response> (*)(Call&, sql::Transaction&, live::Live&);
    const auto add = [&](std::string_view pattern, Action action) {
        routes.add_write({"POST", pattern, Permission::manage_restores},
                         [&live, action](Call& call, sql::Transaction& t) { return action(call, t, live); });
    };
    add("/api/backups/{backupId}/restore", create);
    add("/api/restores/{restoreId}/cancel", cancel);
    add("/api/restores/{restoreId}/undo", undo);
    routes.add({"GET", "/api/environments/{environmentId}/restore-logs", Permission::view_backups}, list);
    routes.add({"GET", "/api/restores/{restoreId}", Permission::view_backups}, show);
    RouteSpec progress{"GET", "/api/backups/{backupId}/restore/progress", Permission::view_backups};
    progress.query_token = true;
    routes.add_loop(progress, [&live](Call call, std::unique_ptr<http::Exchange> exchange) {
        live.streams().open(std::move(call), std::move(exchange), restore_to_follow);
    });
}

}  // namespace backstay::api
