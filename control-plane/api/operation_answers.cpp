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

json::Value checksum_of(const std::vector<CopyRecord>& copies, std::string_view artifact) {
    for (const CopyRecord& copy : copies) {
        if (copy.artifact == artifact && !copy.sha256.empty()) return json::Value("sha256:" + copy.sha256);
    }
    return json::Value(nullptr);
}

bool is_there(const CopyRecord& copy) { return copy.state == CopyState::uploaded || copy.state == CopyState::verified; }

// Destination id → folder, of those that hold the commit marker.
json::Object remote_paths(const operations::BackupRow& row, const std::vector<CopyRecord>& copies) {
    json::Object out;
    for (const CopyRecord& copy : copies) {
        if (copy.artifact != artifact::kManifest || !is_there(copy)) continue;
        const std::size_t slash = copy.key.rfind('/');
        out[copy.destination_id] =
            !row.folder.empty() || slash == std::string::npos ? row.folder : copy.key.substr(0, slash);
    }
    return out;
}

json::Array copy_answers(const std::vector<CopyRecord>& copies) {
    json::Array out;
    for (const CopyRecord& copy : copies) out.push_back(json::encode(copy));
    return out;
}

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

// What an operation that ended testifies stays as it is stored: to read it and write it again was more than half of an
// answer's cost.
std::string evidence_text(const std::optional<operations::Testimony>& testimony, std::string_view kind) {
    if (!testimony) return json::serialize(evidence_value("", nullptr, kind));
    const bool whole = testimony->evidence.find(R"("progress":{)") != std::string::npos;
    if (testimony->ended && whole) return testimony->evidence;
    json::Value progress;
    if (testimony->progress) {
        if (auto stored = json::parse(*testimony->progress)) progress = std::move(*stored);
    }
    return json::serialize(evidence_value(testimony->evidence, std::move(progress), kind));
}

// The object's text with one more member, which is JSON already.
std::string with_member(std::string object, std::string_view name, std::string_view member) {
    object.pop_back();
    return object.append(",\"").append(name).append("\":").append(member).append("}");
}

std::string with_member(json::Object object, std::string_view name, std::string_view member) {
    return with_member(json::serialize(json::Value(std::move(object))), name, member);
}

}  // namespace

json::Value evidence_answer(const std::optional<OperationRow>& operation, std::string_view kind) {
    if (!operation) return evidence_value("", nullptr, kind);
    json::Value progress;
    if (operation->progress) progress = json::encode(*operation->progress);
    return evidence_value(operation->evidence, std::move(progress), kind);
}

json::Value time_answer(const std::optional<TimeMs>& time) {
    return time ? json::Value(to_rfc3339(*time)) : json::Value(nullptr);
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

Result<json::Array> Names::tiers_of(const operations::BackupRow& row) {
    json::Array out;
    const auto* keepers = TRY(keepers_of(row));
    if (keepers == nullptr) return out;
    for (const retention::Tier tier : *keepers) out.push_back(json::Value(retention::name_of(tier)));
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

namespace {

Result<std::string> backup_text(Names& names, const operations::BackupRow& row,
                                const std::optional<operations::Testimony>& testimony,
                                const std::vector<CopyRecord>& copies) {
    const auto environment = TRY(names.environment(row.environment_id));
    json::Object out;
    out["id"] = row.id;
    out["backupType"] = row.scope;
    out["status"] = row.status;
    out["environmentId"] = text_answer(row.environment_id);
    out["environmentName"] = environment ? json::Value(environment->name) : json::Value(nullptr);
    out["environmentType"] = environment ? json::Value(environment->type) : json::Value(nullptr);
    out["createdAt"] = to_rfc3339(row.created_at);
    out["startedAt"] = time_answer(row.started_at);
    out["completedAt"] = time_answer(row.completed_at);
    out["sizeBytes"] = row.size_bytes;
    out["dbChecksum"] = checksum_of(copies, artifact::kDatabase);
    out["filestoreChecksum"] = checksum_of(copies, artifact::kFilestore);
    out["configChecksum"] = checksum_of(copies, artifact::kConfig);
    out["remotePaths"] = remote_paths(row, copies);
    out["gfsTiers"] = TRY(names.tiers_of(row));
    out["errorMessage"] = text_answer(row.error_message);
    // Beyond the contract.
    out["projectId"] = text_answer(row.project_id);
    out["trigger"] = row.trigger_kind;
    out["label"] = text_answer(row.label);
    out["retention"] = row.retention;
    out["performedBy"] = row.performed_by;
    out["verifiedAt"] = time_answer(row.verified_at);
    out["databaseBytes"] = row.database_bytes;
    out["filestoreBytes"] = row.filestore_bytes;
    out["copies"] = copy_answers(copies);
    return with_member(std::move(out), "recoveryEvidence", evidence_text(testimony, "backup"));
}

}  // namespace

Result<std::string> backup_answer(Names& names, const operations::BackupRow& row) {
    const auto testimony = TRY(operations::testimony_of(names.db(), row.id));
    const auto copies = TRY(operations::copies_of(names.db(), row.id));
    return backup_text(names, row, testimony, copies);
}

Result<std::vector<std::string>> backup_answers(Names& names, const std::vector<operations::BackupRow>& rows) {
    std::vector<std::string> ids;
    std::vector<std::string> environments;
    for (const operations::BackupRow& row : rows) {
        ids.push_back(row.id);
        if (row.environment_id) operations::add_once(environments, *row.environment_id);
    }
    TRY(names.learn(environments));
    const auto testimonies = TRY(operations::testimonies_of(names.db(), ids));
    const auto copies = TRY(operations::copies_of_each(names.db(), ids));
    std::vector<std::string> answers;
    for (const operations::BackupRow& row : rows) {
        const auto testimony = testimonies.find(row.id);
        const auto stored = copies.find(row.id);
        answers.push_back(TRY(
            backup_text(names, row, testimony == testimonies.end() ? std::nullopt : std::optional(testimony->second),
                        stored == copies.end() ? std::vector<CopyRecord>() : stored->second)));
    }
    return answers;
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
    json::Object out;
    out["id"] = row.id;
    out["type"] = operations::to_string(row.kind);
    out["status"] = row.status;
    out["environmentId"] = text_answer(row.environment_id);
    out["backupId"] = of_snapshot ? json::Value(nullptr) : text_answer(row.backup_id);
    out["snapshotId"] = of_snapshot ? text_answer(row.backup_id) : json::Value(nullptr);
    out["subjectId"] = row.subject.empty() ? json::Value(nullptr) : json::Value(row.subject);
    out["performedBy"] = row.performed_by;
    out["errorMessage"] = row.failure.empty() ? json::Value(nullptr) : json::Value(row.failure);
    out["createdAt"] = to_rfc3339(row.created_at);
    out["startedAt"] = time_answer(row.started_at);
    out["completedAt"] = time_answer(row.completed_at);
    const std::string text = with_member(std::move(out), "progress", row.testimony.progress.value_or("{}"));
    const std::string evidence =
        operations::is_judged(row.kind) ? evidence_text(row.testimony, operations::to_string(row.kind)) : "null";
    return with_member(text, "recoveryEvidence", evidence);
}

json::Value step_answer(const std::string& operation_id, const operations::StepRow& row) {
    json::Object out = json::encode(row.record).as_object();
    out["id"] = operation_id + "/" + row.record.name;
    out["sortOrder"] = row.sort_order;
    out["version"] = row.version;
    return json::Value(std::move(out));
}

}  // namespace backstay::api
