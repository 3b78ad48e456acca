#include "control-plane/api/operation_answers.h"

#include <algorithm>

#include "common/domain/verdict.h"
#include "control-plane/operations/testimony.h"
#include "control-plane/retention/verdicts.h"
#include "control-plane/store/policies.h"
#include "control-plane/store/schedules.h"

namespace backstay::api {
namespace {

using operations::OperationRow;

// What stands in recoveryEvidence.progress is an object in the contract, also before there is any.
json::Value evidence_value(const std::string& evidence, json::Value progress, std::string_view kind) {
    json::Object out;
    if (!evidence.empty()) {
        if (auto stored = json::parse(evidence)) out = std::move(stored->as_object());
    }
    if (out.empty()) {
        RecoveryEvidence unknown;
        unknown.operation = kind;
        unknown.status = "unknown";
        unknown.remote_copy_state = "not_required";
        out = json::encode(unknown).as_object();
    }
    if (progress.is_object()) out["progress"] = std::move(progress);
    if (!out["progress"].is_object()) out["progress"] = json::Object();
    return json::Value(std::move(out));
}

using Text = std::optional<std::string_view>;

struct OperationAnswer {
    std::string_view id;
    std::string_view type;
    std::string_view status;
    Text environment_id;
    Text backup_id;
    Text snapshot_id;
    Text subject_id;
    std::string_view performed_by;
    Text error_message;
    Timestamp created_at;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> completed_at;
    json::Written progress;
    json::Written recovery_evidence;
};
BOOST_DESCRIBE_STRUCT(OperationAnswer, (),
                      (id, type, status, environment_id, backup_id, snapshot_id, subject_id, performed_by,
                       error_message, created_at, started_at, completed_at, progress, recovery_evidence))

Text unless_empty(std::string_view text) { return text.empty() ? std::nullopt : Text(text); }

}  // namespace

json::Value evidence_answer(const std::optional<OperationRow>& operation, std::string_view kind) {
    if (!operation) return evidence_value("", nullptr, kind);
    json::Value progress;
    if (operation->progress) progress = json::encode(*operation->progress);
    return evidence_value(operation->evidence, std::move(progress), kind);
}

// What an operation that ended testifies stays as it is stored: to read it and write it again was more than half of an
// answer's cost.
json::Written evidence_text(const std::optional<operations::Testimony>& testimony, std::string_view kind) {
    if (!testimony) return {json::serialize(evidence_value("", nullptr, kind))};
    const bool whole = testimony->evidence.find(R"("progress":{)") != std::string::npos;
    if (testimony->ended && whole) return {testimony->evidence};
    json::Value progress;
    if (testimony->progress) {
        if (auto stored = json::parse(*testimony->progress)) progress = std::move(*stored);
    }
    return {json::serialize(evidence_value(testimony->evidence, std::move(progress), kind))};
}

json::Value time_answer(const std::optional<TimeMs>& time) {
    return time ? json::Value(to_rfc3339(*time)) : json::Value(nullptr);
}

std::optional<Timestamp> stamp_answer(const std::optional<TimeMs>& time) {
    return time ? std::optional(Timestamp{*time}) : std::nullopt;
}

json::Value text_answer(const std::optional<std::string>& text) {
    return text ? json::Value(*text) : json::Value(nullptr);
}

Result<std::optional<store::Environment>> Names::environment(const std::optional<std::string>& id) {
    if (!id) return std::optional<store::Environment>();
    const auto known = environments_.find(*id);
    if (known != environments_.end()) return known->second;
    auto found = TRY(store::Environments(db_).find_any(organization_id_, *id));
    environments_.emplace(*id, found);
    return found;
}

Result<> Names::learn(const std::vector<std::string>& environments) {
    for (const std::string& id : environments) {
        environments_.emplace(id, std::nullopt);
        judged_.emplace(id, Judged());
    }
    for (auto& environment : TRY(store::Environments(db_).find_each(organization_id_, environments))) {
        environments_[environment.id] = std::move(environment);
    }
    for (const std::string& id : TRY(store::Schedules(db_).enabled_of(environments))) judged_.erase(id);
    return {};
}

Result<Names::Judged> Names::judge(const std::string& environment_id) {
    Judged out;
    const auto schedule = TRY(store::Schedules(db_).find(environment_id));
    if (!schedule || !schedule->enabled) return out;
    const auto numbers = TRY(store::numbers_of(db_, *schedule));
    out.policy = TRY(retention::policy_of(*schedule, numbers));
    for (auto& verdict : TRY(retention::judge_backups(db_, environment_id, out.policy, now_))) {
        if (!verdict.tiers.empty()) out.tiers.emplace(std::move(verdict.backup_id), std::move(verdict.tiers));
    }
    return out;
}

Result<const std::vector<retention::Tier>*> Names::keepers_of(const operations::BackupRow& row) {
    const std::vector<retention::Tier>* none = nullptr;
    if (!row.environment_id) return none;
    auto known = judged_.find(*row.environment_id);
    if (known == judged_.end()) {
        Judged judged = TRY(judge(*row.environment_id));
        known = judged_.emplace(*row.environment_id, std::move(judged)).first;
    }
    const auto found = known->second.tiers.find(row.id);
    return found == known->second.tiers.end() ? none : &found->second;
}

Result<std::vector<std::string_view>> Names::tiers_of(const operations::BackupRow& row) {
    std::vector<std::string_view> out;
    const auto* keepers = TRY(keepers_of(row));
    if (keepers == nullptr) return out;
    for (const retention::Tier tier : *keepers) out.push_back(retention::name_of(tier));
    return out;
}

Result<std::optional<TimeMs>> Names::age_limit_of(const operations::BackupRow& row) {
    std::optional<TimeMs> limit;
    const auto* keepers = TRY(keepers_of(row));
    if (keepers == nullptr) return limit;
    constexpr TimeMs kDayMs = 24LL * 3600 * 1000;
    const retention::Policy& policy = judged_.find(*row.environment_id)->second.policy;
    const retention::TypeRules& rules = row.scope == "db" ? policy.db : policy.full;
    for (const retention::Tier tier : *keepers) {
        const std::int64_t days = rules[static_cast<std::size_t>(tier)].days;
        if (days == 0) return std::optional<TimeMs>();
        limit = std::max(limit.value_or(0), row.created_at + days * kDayMs);
    }
    return limit;
}

Result<json::Value> restore_answer(Names& names, const operations::RestoreRow& row) {
    const auto operation = TRY(operations::find_operation(names.db(), row.id));
    const auto source = TRY(names.environment(row.source_environment_id));
    const auto target = TRY(names.environment(row.target_environment_id));
    json::Object out;
    out["id"] = row.id;
    out["backupId"] = row.backup_id;
    out["status"] = row.status;
    out["targetType"] = row.target_type;
    out["sourceEnvironmentId"] = text_answer(row.source_environment_id);
    out["sourceEnvironmentName"] = source ? json::Value(source->name) : json::Value(nullptr);
    out["targetEnvironmentId"] = text_answer(row.target_environment_id);
    out["targetEnvironmentName"] = target ? json::Value(target->name) : json::Value(nullptr);
    out["createdAt"] = to_rfc3339(row.created_at);
    out["startedAt"] = time_answer(row.started_at);
    out["completedAt"] = time_answer(row.completed_at);
    out["errorMessage"] = text_answer(row.error_message);
    out["performedBy"] = row.performed_by;
    out["recoveryEvidence"] = evidence_answer(operation, "restore");
    // Beyond the contract.
    out["scope"] = row.scope;
    out["safetyBackupId"] = text_answer(row.safety_backup_id);
    out["undoUntil"] = time_answer(row.undone_at ? std::nullopt : row.keep_until);
    out["undoneAt"] = time_answer(row.undone_at);
    return json::Value(std::move(out));
}

std::string operation_answer(const operations::ListedOperation& row) {
    // A deletion names what it removes as its subject, when that is a snapshot.
    const bool of_snapshot = row.kind == operations::Kind::snapshot || row.kind == operations::Kind::rollback ||
                             (row.kind == operations::Kind::deletion && row.subject == row.backup_id);
    OperationAnswer out;
    out.id = row.id;
    out.type = operations::to_string(row.kind);
    out.status = row.status;
    out.environment_id = row.environment_id;
    (of_snapshot ? out.snapshot_id : out.backup_id) = row.backup_id;
    out.subject_id = unless_empty(row.subject);
    out.performed_by = row.performed_by;
    out.error_message = unless_empty(row.failure);
    out.created_at = {row.created_at};
    out.started_at = stamp_answer(row.started_at);
    out.completed_at = stamp_answer(row.completed_at);
    out.progress = {row.testimony.progress.value_or("{}")};
    out.recovery_evidence =
        operations::is_judged(row.kind) ? evidence_text(row.testimony, out.type) : json::Written{"null"};
    return json::encode_text(out);
}

json::Value step_answer(const std::string& operation_id, const operations::StepRow& row) {
    json::Object out = json::encode(row.record).as_object();
    out["id"] = operation_id + "/" + row.record.name;
    out["sortOrder"] = row.sort_order;
    out["version"] = row.version;
    return json::Value(std::move(out));
}

}  // namespace backstay::api
