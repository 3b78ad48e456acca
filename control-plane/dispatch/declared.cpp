#include "control-plane/dispatch/declared.h"

#include "common/domain/orders.h"
#include "common/json/json.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_snapshot.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/lifecycle.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/schedules.h"

namespace backstay::dispatch {
namespace {

using operations::Kind;
using operations::OperationRow;

struct Shape {
    std::string_view job_kind;
    Kind kind;
    std::string_view id_member;  // which member of the order is the operation's id
};
constexpr Shape kShapes[] = {
    {"backup", Kind::backup, "backupId"},
    {"base_backup", Kind::backup, "backupId"},
    {"restore", Kind::restore, "restoreId"},
    {"verify", Kind::verification, "verificationId"},
    {"copy", Kind::copy, "copyId"},
    {"delete", Kind::deletion, "deletionId"},
    {"undo", Kind::undo, "undoId"},
    {"test_destination", Kind::destination_test, "testId"},
    {"snapshot", Kind::snapshot, "snapshotId"},
    {"rollback", Kind::rollback, "rollbackId"},
    {"delete_snapshot", Kind::deletion, "deletionId"},
};

// In orders that are told to a control plane that was put back: whether somebody had made such a backup permanent is
// known nowhere any more, so those made by hand stay.
constexpr std::string_view kToldAgain = "toldAgain";

std::optional<std::string> text_member(const json::Object& object, std::string_view name) {
    const json::Value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

// The environment that the agent's words mean: by id when we gave it, else by cluster and database. A base backup names
// only the cluster.
Result<std::optional<store::Environment>> environment_of(sql::Database& db, const store::Agent& agent,
                                                         const json::Object& order, std::string_view member) {
    const json::Value* value = order.if_contains(member);
    if (value == nullptr || !value->is_object()) {
        const auto cluster = text_member(order, "cluster");
        if (cluster) return store::Environments(db).first_on_cluster(agent.id, *cluster);
        return std::optional<store::Environment>();
    }
    auto named = json::decode<EnvironmentOrder>(*value, json::kLenient);
    if (!named) return std::optional<store::Environment>();
    store::Environments environments(db);
    auto found = TRY(environments.find(agent.organization_id, named->environment_id));
    if (found) return found;
    auto there = TRY(environments.on_agent(agent.id, named->cluster.value_or(""), named->database));
    if (there) return there;
    return environments.on_agent(agent.id, "", named->database);
}

Result<> insert_snapshot_of(sql::Database& db, const OperationRow& operation, const json::Object& order,
                            const std::string& agent_id, const std::optional<store::Environment>& environment) {
    if (TRY(operations::find_snapshot_row(db, operation.id))) return {};
    auto known = json::decode<SnapshotOrder>(json::Value(order), json::kLenient);
    SnapshotOrder snapshot = known ? std::move(*known) : SnapshotOrder{};
    snapshot.snapshot_id = operation.id;
    snapshot.created_at = {operation.created_at};
    SnapshotOrigin origin{operation.organization_id, environment, agent_id, "warn", operation.performed_by};
    if (environment) {
        origin.failure_policy =
            TRY(store::SnapshotSettingsOf(db).ensure(*environment, operation.created_at)).failure_policy;
    }
    return operations::insert_snapshot(db, make_snapshot_row(snapshot, origin));
}

Result<> insert_rollback_of(sql::Database& db, const OperationRow& operation, const std::string& agent_id,
                            const std::optional<store::Environment>& source) {
    if (TRY(operations::find_rollback_row(db, operation.id))) return {};
    operations::RollbackRow row;
    row.id = operation.id;
    row.organization_id = operation.organization_id;
    row.snapshot_id = operation.backup_id.value_or("");
    if (source) row.source_environment_id = source->id;
    row.target_environment_id = operation.environment_id;
    row.agent_id = agent_id;
    const auto snapshot = TRY(operations::find_snapshot(db, operation.organization_id, row.snapshot_id));
    if (snapshot) row.deployment_id = snapshot->deployment_id;
    row.created_at = operation.created_at;
    row.performed_by = operation.performed_by;
    return operations::insert_rollback(db, row);
}

Result<> insert_history(sql::Database& db, const OperationRow& operation, const json::Object& order,
                        const std::string& agent_id, const std::optional<store::Environment>& environment,
                        const std::optional<store::Environment>& source) {
    if (operation.kind == Kind::backup) {
        if (TRY(operations::find_backup_row(db, operation.id))) return {};
        operations::BackupRow row;
        row.id = operation.id;
        row.organization_id = operation.organization_id;
        if (environment) row.project_id = environment->project_id;
        row.environment_id = operation.environment_id;
        row.agent_id = agent_id;
        row.scope = order.contains("cluster") ? "base" : text_member(order, "scope").value_or("full");
        row.trigger_kind = text_member(order, "trigger").value_or("manual");
        row.label = text_member(order, "label");
        if (row.trigger_kind == "manual" && order.contains(kToldAgain)) row.retention = "permanent";
        row.created_at = operation.created_at;
        row.performed_by = operation.performed_by;
        return operations::insert_backup(db, row);
    }
    if (operation.kind == Kind::restore) {
        if (TRY(operations::find_restore_row(db, operation.id))) return {};
        operations::RestoreRow row;
        row.id = operation.id;
        row.organization_id = operation.organization_id;
        row.backup_id = operation.backup_id.value_or("");
        if (source) row.source_environment_id = source->id;
        row.target_environment_id = operation.environment_id;
        row.agent_id = agent_id;
        row.target_type = text_member(order, "targetType").value_or("same");
        row.scope = text_member(order, "scope").value_or("all");
        row.created_at = operation.created_at;
        row.performed_by = operation.performed_by;
        return operations::insert_restore(db, row);
    }
    if (operation.kind == Kind::snapshot) return insert_snapshot_of(db, operation, order, agent_id, environment);
    if (operation.kind == Kind::rollback) return insert_rollback_of(db, operation, agent_id, source);
    return {};
}

// A run of a schedule that the agent made while we were away.
Result<> note_scheduled(sql::Database& db, const OperationRow& operation, const json::Object& order, TimeMs now) {
    const auto due = text_member(order, "dueAt");
    if (!due || operation.kind != Kind::backup || !operation.environment_id) return {};
    const auto at = parse_rfc3339(*due);
    const std::string scope = text_member(order, "scope").value_or("");
    if (!at || (scope != "db" && scope != "full")) return {};
    return store::Schedules(db).note_by_agent(*operation.environment_id, scope, *at, operation.id, now);
}

}  // namespace

Result<Job> declare_job(sql::Database& db, const store::Agent& agent, const control_plane::Report& report, TimeMs now) {
    if (!report.declared) return Error(Errc::invalid, "a declaration is missing");
    const json::Object& order = report.declared->order;
    const Shape* shape = nullptr;
    for (const Shape& known : kShapes) {
        if (known.job_kind == report.declared->kind) shape = &known;
    }
    if (shape == nullptr) return Error(Errc::invalid, "kind " + report.declared->kind + " is not known here");

    OperationRow operation;
    operation.id = text_member(order, shape->id_member).value_or(report.operation_id);
    if (operation.id.empty()) operation.id = report.job_id;
    if (TRY(operations::find_operation(db, operation.id))) {
        return Error(Errc::conflict, "operation " + operation.id + " belongs to another job");
    }
    operation.kind = shape->kind;
    operation.organization_id = agent.organization_id;
    const auto snapshot_id = text_member(order, "snapshotId");
    operation.backup_id = operations::makes_copies(operation.kind) ? operation.id : text_member(order, "backupId");
    if (!operation.backup_id) operation.backup_id = snapshot_id;
    operation.subject = text_member(order, "restoreId").value_or("");
    if (operation.kind == Kind::deletion) operation.subject = snapshot_id.value_or("");
    operation.job_id = report.job_id;
    operation.performed_by = "agent:" + agent.name;
    operation.created_at = report.at.ms;
    const auto environment = TRY(environment_of(db, agent, order, order.contains("target") ? "target" : "environment"));
    const auto source = TRY(environment_of(db, agent, order, "source"));
    if (environment) operation.environment_id = environment->id;

    Job job;
    job.id = report.job_id;
    job.kind = shape->job_kind;
    job.organization_id = agent.organization_id;
    job.agent_id = agent.id;
    job.environment_id = operation.environment_id;
    job.backup_id = operation.backup_id;
    job.operation_id = operation.id;
    job.order = json::serialize(json::Value(without_secrets(order)));
    job.state = JobState::accepted;
    job.created_at = job.not_before = job.waiting_since = report.at.ms;
    job.started_at = job.moved_at = now;
    TRY(insert_job(db, job));
    TRY(operations::insert_operation(db, operation));
    TRY(insert_history(db, operation, order, agent.id, environment, source));
    TRY(operations::begin(db, operation, 1, now));
    TRY(note_scheduled(db, operation, order, now));
    return job;
}

Result<std::optional<OperationRow>> open_inner_operation(sql::Database& db, const Job& job,
                                                         std::string_view operation_id, TimeMs now) {
    const json::Value order = TRY(json::parse(job.order));
    const bool rolls_back = job.kind == "rollback";
    const char* member = rolls_back ? "safetySnapshot" : "safetyBackup";
    const json::Value* safety = order.is_object() ? order.get_object().if_contains(member) : nullptr;
    if (safety == nullptr || !safety->is_object()) return std::optional<OperationRow>();
    const json::Object& inner = safety->get_object();
    if (text_member(inner, rolls_back ? "snapshotId" : "backupId") != operation_id) {
        return std::optional<OperationRow>();
    }

    OperationRow operation;
    operation.id = operation_id;
    operation.kind = rolls_back ? Kind::snapshot : Kind::backup;
    operation.organization_id = job.organization_id;
    operation.environment_id = job.environment_id;
    operation.backup_id = operation.id;
    operation.job_id = job.id;
    operation.performed_by = "system";
    operation.created_at = now;
    std::optional<store::Environment> environment;
    if (job.environment_id) {
        environment = TRY(store::Environments(db).find_any(job.organization_id, *job.environment_id));
    }
    TRY(operations::insert_operation(db, operation));
    TRY(insert_history(db, operation, inner, job.agent_id, environment, std::nullopt));
    if (rolls_back) TRY(operations::name_safety_snapshot(db, job.operation_id, operation.id));
    TRY(operations::begin(db, operation, 1, now));
    return std::optional<OperationRow>(std::move(operation));
}

}  // namespace backstay::dispatch
