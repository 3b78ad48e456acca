// The rows that people see of snapshots and rollbacks. Deleted snapshots stay as rows and are hidden from every
// question here except find_snapshot_row.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/operations/snapshot_rules.h"

namespace backstay::operations {

struct SnapshotRow {
    std::string id;
    std::string organization_id;
    std::optional<std::string> project_id;
    std::optional<std::string> environment_id;
    std::string agent_id;      // on whose host it lies
    std::string trigger_kind;  // SnapshotOrder::trigger
    std::string status = "pending";
    std::optional<std::string> label;
    std::optional<std::string> deployment_id;
    std::optional<std::string> commit_sha;
    std::optional<std::string> image_tag;
    std::string failure_policy = "warn";
    std::vector<std::string> destination_ids;  // where a copy was ordered to, and where a differential brought it
    std::string remote_status = "none";
    std::string folder;  // the same in every place
    std::optional<std::string> database_file;
    std::optional<std::string> filestore_file;
    std::optional<std::string> config_file;
    std::optional<bool> is_full;
    std::optional<std::string> base_id;
    bool is_pinned = false;
    std::string pin_label;
    std::optional<TimeMs> unpinned_at;
    TimeMs created_at = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    std::optional<TimeMs> expires_at;  // own_expiry()
    std::optional<TimeMs> deleted_at;
    std::int64_t size_bytes = 0;
    std::int64_t database_bytes = 0;
    std::int64_t filestore_bytes = 0;
    std::optional<std::string> error_message;
    std::string performed_by;
    std::optional<std::string> manifest;  // JSON
};

Result<> insert_snapshot(sql::Database& db, const SnapshotRow& snapshot);
// Everything but what is fixed when it is ordered.
Result<> update_snapshot(sql::Database& db, const SnapshotRow& snapshot);
// Also one that is deleted, of whatever organization: for the machinery, not for people.
Result<std::optional<SnapshotRow>> find_snapshot_row(sql::Database& db, std::string_view id);
Result<std::optional<SnapshotRow>> find_snapshot(sql::Database& db, std::string_view organization_id,
                                                 std::string_view id);

struct SnapshotFilter {
    std::string organization_id;
    std::optional<std::string> environment_id;
    std::optional<std::string> project_id;
    std::optional<std::string> environment_type;
    std::optional<std::string> status;
    std::int64_t limit = 20;
    std::int64_t offset = 0;
};
struct SnapshotPage {
    std::vector<SnapshotRow> rows;
    std::int64_t total = 0;
};
// Newest first.
Result<SnapshotPage> list_snapshots(sql::Database& db, const SnapshotFilter& filter);

Result<std::int64_t> count_pinned(sql::Database& db, std::string_view environment_id);
// Differentials that need this full one.
Result<Dependents> dependents_of(sql::Database& db, std::string_view id);
Result<std::vector<std::string>> differentials_of(sql::Database& db, std::string_view id);
// Where copies of them were ordered to, also of those that are deleted: their copies may have brought it there.
Result<std::set<std::string>> destinations_of_differentials(sql::Database& db, std::string_view id);
// expires_at of every snapshot of the environment anew.
Result<> recompute_expiry(sql::Database& db, std::string_view environment_id, std::int64_t retention_days);
// Those whose time is over, that no differential needs and no rollback uses; longest over first.
Result<std::vector<SnapshotRow>> expired_snapshots(sql::Database& db, TimeMs now, std::int64_t limit);

struct RollbackRow {
    std::string id;  // also of its operation: the contract's rollbackDeploymentId
    std::string organization_id;
    std::string snapshot_id;
    std::optional<std::string> source_environment_id;
    std::optional<std::string> target_environment_id;
    std::string agent_id;
    std::optional<std::string> deployment_id;  // that the snapshot was taken for
    std::string status = "pending";
    TimeMs created_at = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    std::optional<TimeMs> keep_until;  // the instant way back
    std::optional<std::string> error_message;
    std::optional<std::string> safety_snapshot_id;
    bool safety_snapshot_created = false;
    bool neutralization_triggered = false;
    std::string performed_by;
};

Result<> insert_rollback(sql::Database& db, const RollbackRow& rollback);
Result<> update_rollback(sql::Database& db, const RollbackRow& rollback);
Result<std::optional<RollbackRow>> find_rollback_row(sql::Database& db, std::string_view id);
Result<std::optional<RollbackRow>> find_rollback(sql::Database& db, std::string_view organization_id,
                                                 std::string_view id);
Result<std::vector<RollbackRow>> rollbacks_to(sql::Database& db, std::string_view snapshot_id);
// A rollback that has not ended reads it, or made it for its own safety; absent: none.
Result<std::optional<std::string>> rollback_using(sql::Database& db, std::string_view snapshot_id);
// The rollback's safety snapshot has begun.
Result<> name_safety_snapshot(sql::Database& db, std::string_view rollback_id, std::string_view snapshot_id);
// The snapshot that a rollback took for safety, if it is one, is there and usable.
Result<> note_safety_snapshot(sql::Database& db, std::string_view snapshot_id);

struct RollbackPage {
    std::vector<RollbackRow> rows;
    std::int64_t total = 0;
};
// The environment as source or target, newest first. With a project: only rollbacks into its environments.
Result<RollbackPage> list_rollbacks(sql::Database& db, std::string_view organization_id,
                                    std::string_view environment_id, std::int64_t limit, std::int64_t offset,
                                    std::string_view project_id = "");

}  // namespace backstay::operations
