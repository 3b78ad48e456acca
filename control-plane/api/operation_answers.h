// Snapshots, restores, rollbacks, operations and steps as the contract writes them: every field there, null
// for what is not known.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/retention.h"
#include "common/json/json.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/listing.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/environments.h"

namespace backstay::api {

// Names of environments and the like, looked up once for a whole page.
class Names {
public:
    Names(sql::Database& db, std::string organization_id, TimeMs now)
        : db_(db), organization_id_(std::move(organization_id)), now_(now) {}
    // Null members when it is unknown here; also of environments that are hidden by now.
    Result<std::optional<store::Environment>> environment(const std::optional<std::string>& id);
    // All at once: those that are asked for later.
    Result<> learn(const std::vector<std::string>& environments);
    // The tiers that keep this backup now, by the schedule of its environment; none without one.
    Result<std::vector<std::string_view>> tiers_of(const operations::BackupRow& row);
    // When the greatest age of those tiers is reached; none when one of them has none, or nothing keeps it.
    Result<std::optional<TimeMs>> age_limit_of(const operations::BackupRow& row);
    sql::Database& db() { return db_; }

private:
    struct Judged {
        std::map<std::string, std::vector<retention::Tier>> tiers;  // by backup
        retention::Policy policy;
    };
    Result<Judged> judge(const std::string& environment_id);
    // Null: nothing keeps it.
    Result<const std::vector<retention::Tier>*> keepers_of(const operations::BackupRow& row);

    sql::Database& db_;
    std::string organization_id_;
    TimeMs now_;
    std::map<std::string, std::optional<store::Environment>> environments_;
    std::map<std::string, Judged> judged_;  // by environment
};

// The text of its JSON.
std::string operation_answer(const operations::ListedOperation& row);
Result<json::Value> restore_answer(Names& names, const operations::RestoreRow& row);
Result<json::Value> snapshot_answer(Names& names, const operations::SnapshotRow& row);
Result<json::Value> rollback_answer(Names& names, const operations::RollbackRow& row);
json::Value step_answer(const std::string& operation_id, const operations::StepRow& row);

// The environment is as the caller may see it: absent for a key that is limited to another project.
// recoveryEvidence; `kind` names the operation when there is none.
json::Value evidence_answer(const std::optional<operations::OperationRow>& operation, std::string_view kind);
// The same as text, of what the operation's row testifies.
json::Written evidence_text(const std::optional<operations::Testimony>& testimony, std::string_view kind);
json::Value time_answer(const std::optional<TimeMs>& time);
std::optional<Timestamp> stamp_answer(const std::optional<TimeMs>& time);
json::Value text_answer(const std::optional<std::string>& text);

}  // namespace backstay::api
