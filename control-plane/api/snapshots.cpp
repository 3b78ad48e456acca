#include "control-plane/api/snapshots.h"

#include <algorithm>
#include <array>

#include "control-plane/api/operation_answers.h"
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/store/place.h"

namespace backstay::api {
namespace {

using auth::Permission;

constexpr std::size_t kTextMost = 200;
constexpr std::array<std::string_view, 5> kTriggers = {"manual", "pre_deploy", "pre_rollback", "pre_restore",
                                                       "pre_upgrade"};
// A dump takes less than this part of its database. Only what cannot end well is refused here: the agent looks exactly.
constexpr std::uint64_t kSmallestDumpPart = 20;

Result<operations::SnapshotFilter> filter_of(const Call& call) {
    const store::Page page = TRY(page_of(call, 20));
    operations::SnapshotFilter filter;
    filter.organization_id = call.organization_id;
    filter.limit = page.limit;
    filter.offset = page.offset;
    return filter;
}

Result<json::Object> page_answer(const Call& call, sql::Database& db, const operations::SnapshotFilter& filter) {
    const auto page = TRY(operations::list_snapshots(db, filter));
    Names names(db, call.organization_id, call.now);
    json::Array snapshots;
    for (const auto& row : page.rows) snapshots.push_back(TRY(snapshot_answer(names, row)));
    json::Object body;
    body["snapshots"] = std::move(snapshots);
    body["total"] = page.total;
    return body;
}

Result<http::Response> list_of_environment(Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    auto filter = TRY(filter_of(call));
    filter.environment_id = environment.id;
    json::Object body = TRY(page_answer(call, db, filter));
    body["limit"] = filter.limit;
    body["offset"] = filter.offset;
    return json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> list_of_project(Call& call, sql::Database& db) {
    const auto project = TRY(find_project(call, db, call.param("projectId")));
    auto filter = TRY(filter_of(call));
    filter.project_id = project.id;
    const std::string type = TRY(choice_of(call, "environmentType", {"production", "staging", "development"}));
    const std::string status = TRY(
        choice_of(call, "status", {"pending", "running", "completed", "partial", "failed", "cancelled", "deleting"}));
    if (!type.empty()) filter.environment_type = type;
    if (!status.empty()) filter.status = status;
    json::Object body = TRY(page_answer(call, db, filter));
    return json_answer(200, json::Value(std::move(body)));
}

Result<http::Response> show(Call& call, sql::Database& db) {
    const auto row = TRY(snapshot_of_path(call, db));
    Names names(db, call.organization_id, call.now);
    json::Value answer = TRY(snapshot_answer(names, row));
    json::Array logs;
    for (const auto& rollback : TRY(operations::rollbacks_to(db, row.id))) {
        logs.push_back(TRY(rollback_answer(names, rollback)));
    }
    answer.as_object()["rollbackLogs"] = std::move(logs);
    return json_answer(200, answer);
}

struct CreateRequest {
    std::optional<std::string> trigger;
    std::optional<std::string> deployment_id;
    std::optional<std::string> commit_sha;
    std::optional<std::string> image_tag;
    std::optional<std::string> label;
};
BOOST_DESCRIBE_STRUCT(CreateRequest, (), (trigger, deployment_id, commit_sha, image_tag, label))

Result<dispatch::SnapshotWish> wish_of(const Call& call, const CreateRequest& request) {
    dispatch::SnapshotWish wish;
    wish.trigger = request.trigger.value_or("manual");
    if (std::find(kTriggers.begin(), kTriggers.end(), wish.trigger) == kTriggers.end()) {
        return rule_broken("invalid_trigger", "trigger",
                           "must be manual, pre_deploy, pre_rollback, pre_restore or pre_upgrade");
    }
    const std::pair<std::string_view, const std::optional<std::string>*> texts[] = {
        {"deploymentId", &request.deployment_id},
        {"commitSha", &request.commit_sha},
        {"imageTag", &request.image_tag},
        {"label", &request.label}};
    for (const auto& [field, text] : texts) {
        if (*text && (*text)->size() > kTextMost) return rule_broken("text_too_long", field, "at most 200 bytes");
    }
    wish.deployment_id = request.deployment_id;
    wish.commit_sha = request.commit_sha;
    wish.image_tag = request.image_tag;
    wish.label = request.label;
    wish.performed_by = call.principal.name;
    return wish;
}

// Somebody switched off what deployments and upgrades order by themselves; people still may.
Result<> refuse_when_off(sql::Database& db, const store::Environment& environment, const std::string& trigger) {
    if (trigger != "pre_deploy" && trigger != "pre_upgrade") return {};
    const auto settings = TRY(store::SnapshotSettingsOf(db).find(environment.id));
    if (!settings || settings->auto_enabled) return {};
    return conflict("snapshots_disabled", "automatic snapshots are switched off for this environment");
}

Result<> refuse_without_space(sql::Database& db, const store::Environment& environment) {
    const auto inventory = TRY(store::inventory_of(db, environment.agent_id));
    const store::Place place = store::find_place(inventory, environment);
    if (place.database == nullptr) return {};
    for (const auto& disk : inventory.disks) {
        if (disk.role != "snapshots" || disk.free_bytes >= place.database->size_bytes / kSmallestDumpPart) continue;
        return problem(507, "local_space_low", "the host has too little space for a snapshot at " + disk.path);
    }
    return {};
}

Result<http::Response> create(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto request = TRY(body<CreateRequest>(call));
    const auto wish = TRY(wish_of(call, request));
    TRY(refuse_when_off(db, environment, wish.trigger));
    const auto busy = TRY(dispatch::busy_jobs_of_environment(db, environment.id));
    if (!busy.empty()) {
        return conflict("operation_in_progress",
                        busy.front().kind + " " + busy.front().operation_id + " works on this environment already");
    }
    TRY(refuse_without_space(db, environment));
    dispatch::Stir stir;
    const auto row = TRY(dispatch::order_snapshot(db, environment, wish, call.now, stir));
    TRY(note_audit(call, db, "snapshot.create", row.id, wish.trigger));
    live.after_commit(call, stir);
    json::Object answer;
    answer["environmentId"] = environment.id;
    answer["message"] = "the snapshot is queued";
    answer["snapshotId"] = row.id;
    answer["failurePolicy"] = row.failure_policy;
    auto response = json_answer(202, json::Value(std::move(answer)));
    response.headers.set("Location", "/api/environments/" + environment.id + "/snapshots/" + row.id);
    return response;
}

}  // namespace

Result<operations::SnapshotRow> snapshot_of_path(const Call& call, sql::Database& db) {
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    auto row = TRY(find_snapshot(call, db, call.param("snapshotId")));
    if (row.environment_id != environment.id) return not_found("snapshot");
    return row;
}

void add_snapshot_routes(RouteTable& routes, live::Live& live) {
    routes.add({"GET", "/api/environments/{environmentId}/snapshots", Permission::view_backups}, list_of_environment);
    routes.add_write({"POST", "/api/environments/{environmentId}/snapshots", Permission::manage_backups},
                     [&live](Call& call, sql::Transaction& t) { return create(call, t, live); });
    routes.add({"GET", "/api/projects/{projectId}/snapshots", Permission::view_backups}, list_of_project);
    routes.add({"GET", "/api/environments/{environmentId}/snapshots/{snapshotId}", Permission::view_backups}, show);
    RouteSpec progress{"GET", "/api/environments/{environmentId}/snapshots/{snapshotId}/progress",
                       Permission::view_backups};
    progress.query_token = true;
    routes.add_loop(progress, [&live](Call call, std::unique_ptr<http::Exchange> exchange) {
        live.streams().open(
            std::move(call), std::move(exchange),
            [](Call& asked, sql::Database& db) -> Result<std::string> { return TRY(snapshot_of_path(asked, db)).id; });
    });
}

}  // namespace backstay::api
