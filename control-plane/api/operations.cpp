// /api/operations: everything that runs or ran, with its steps.
#include "common/ids.h"
#include "control-plane/api/backups.h"
#include "control-plane/api/operation_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/operations/listing.h"

namespace backstay::api {
namespace {

using auth::Permission;

Result<std::optional<std::string>> id_of(const Call& call, std::string_view name) {
    const std::string* text = call.request.query_value(name);
    if (text == nullptr) return std::optional<std::string>();
    if (!is_uuid(*text)) return problem(400, "invalid_id", std::string(name) + " must be a UUID");
    return std::optional<std::string>(*text);
}

Result<http::Response> list(Call& call, sql::Database& db) {
    const store::Page page = TRY(page_of(call, 50));
    operations::OperationFilter filter;
    filter.organization_id = call.organization_id;
    filter.limit = page.limit;
    filter.offset = page.offset;
    filter.environment_id = TRY(id_of(call, "environmentId"));
    filter.backup_id = TRY(id_of(call, "backupId"));
    const auto snapshot_id = TRY(id_of(call, "snapshotId"));
    const std::string kind = TRY(choice_of(
        call, "type",
        {"backup", "snapshot", "restore", "rollback", "verification", "copy", "deletion", "undo", "destination_test"}));
    if (!kind.empty()) filter.kind = kind;
    if (filter.environment_id) TRY(find_environment(call, db, *filter.environment_id));
    if (filter.backup_id) TRY(find_backup(call, db, *filter.backup_id));
    if (snapshot_id) {
        if (filter.backup_id) return problem(400, "invalid_parameter", "either backupId or snapshotId");
        TRY(find_snapshot(call, db, *snapshot_id));
        filter.backup_id = snapshot_id;
    }
    if (call.principal.project_id && !filter.environment_id && !filter.backup_id) {
        return problem(403, "forbidden",
                       "a key limited to a project names an environment, a backup or a snapshot here");
    }
    filter.project_id = call.principal.project_id;
    const auto found = TRY(operations::list_operations(db, filter));
    std::vector<std::string> operations;
    for (const auto& row : found.rows) operations.push_back(operation_answer(row));
    return list_answer("operations", operations, found.total);
}

Result<operations::OperationRow> asked(const Call& call, sql::Database& db) {
    const std::string& kind = call.param("type");
    if (!operations::kind_from(kind)) return not_found("type of operation");
    return find_operation(call, db, kind, call.param("operationId"));
}

Result<http::Response> show(Call& call, sql::Database& db) {
    const auto operation = TRY(asked(call, db));
    return json_text_answer(operation_answer(operations::listed(operation)));
}

Result<http::Response> steps(Call& call, sql::Database& db) {
    const auto operation = TRY(asked(call, db));
    if (operation.steps_purged_at) {
        json::Object gone{{"steps", json::Array()}, {"total", 0}, {"purgedAt", to_rfc3339(*operation.steps_purged_at)}};
        return json_answer(200, json::Value(std::move(gone)));
    }
    const auto recorded = TRY(operations::steps_of(db, operation.id));
    json::Array out;
    for (std::size_t i = 0; i < operation.plan.steps.size(); ++i) {
        const StepPlan& planned = operation.plan.steps[i];
        operations::StepRow row;
        row.record.name = planned.name;
        row.record.required = planned.required;
        row.sort_order = static_cast<std::int64_t>(i) + 1;
        for (const operations::StepRow& known : recorded) {
            if (known.record.name == planned.name) row = known;
        }
        out.push_back(step_answer(operation.id, row));
    }
    for (const operations::StepRow& known : recorded) {  // steps beyond the plan
        if (known.sort_order > static_cast<std::int64_t>(operation.plan.steps.size())) {
            out.push_back(step_answer(operation.id, known));
        }
    }
    json::Object body;
    body["total"] = out.size();
    body["steps"] = std::move(out);
    return json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> cancel(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const auto operation = TRY(asked(call, db));
    // The safety copy inside a restore is not cancelled without it.
    const auto job = TRY(dispatch::find_job(db, operation.job_id));
    const bool restores = job && (job->kind == "restore" || job->kind == "undo" || job->kind == "rollback");
    if (restores && !call.principal.may(Permission::manage_restores)) {
        return problem(403, "forbidden", "this needs the permission manage:restores");
    }
    if (operations::is_ended(operation)) return conflict("not_running", "it has ended: " + operation.status);
    dispatch::Stir stir;
    const bool ended = TRY(dispatch::cancel_job(db, operation.job_id, call.now, stir));
    TRY(note_audit(call, db, "operation.cancel", operation.id));
    live.after_commit(call, stir);
    return message_answer(202, ended ? "the operation is cancelled" : "the agent is asked to stop");
}

}  // namespace

void add_operation_routes(RouteTable& routes, live::Live& live) {
    routes.add({"GET", "/api/operations", Permission::view_backups}, list);
    routes.add({"GET", "/api/operations/{type}/{operationId}", Permission::view_backups}, show);
    routes.add({"GET", "/api/operations/{type}/{operationId}/steps", Permission::view_backups}, steps);
    routes.add_write({"POST", "/api/operations/{type}/{operationId}/cancel", Permission::manage_backups},
                     [&live](Call& call, sql::Transaction& t) { return cancel(call, t, live); });
    RouteSpec progress{"GET", "/api/operations/{type}/{operationId}/progress", Permission::view_backups};
    progress.query_token = true;
    routes.add_loop(progress, [&live](Call call, std::unique_ptr<http::Exchange> exchange) {
        live.streams().open(
            std::move(call), std::move(exchange),
            [](Call& wanted, sql::Database& db) -> Result<std::string> { return TRY(asked(wanted, db)).id; });
    });
}

}  // namespace backstay::api
