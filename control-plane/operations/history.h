// The rows that people see: backups and restores. Deleted backups stay as rows and are hidden from every question here
// except find_backup_row.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::operations {

struct BackupRow {
    std::string id;
    std::string organization_id;
    std::optional<std::string> project_id;
    std::optional<std::string> environment_id;
    std::string agent_id;
    std::string scope;         // db, full, base
    std::string trigger_kind;  // BackupOrder::trigger
    std::string status = "pending";
    std::optional<std::string> label;
    std::string retention = "default";  // default, permanent
    std::string folder;                 // the same in every destination; "" until known
    TimeMs created_at = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    std::optional<TimeMs> verified_at;
    std::optional<TimeMs> deleted_at;
    std::int64_t size_bytes = 0;
    std::int64_t database_bytes = 0;
    std::int64_t filestore_bytes = 0;
    std::optional<std::string> error_message;
    std::string performed_by;

    bool operator==(const BackupRow&) const = default;
};

// The columns of a backup, and a row of them.
inline constexpr std::string_view kBackupColumns =
    "id, organization_id, project_id, environment_id, agent_id, scope, trigger_kind, status, label, retention, folder, "
    "created_at, started_at, completed_at, verified_at, deleted_at, size_bytes, database_bytes, filestore_bytes, "
    "error_message, performed_by";
inline constexpr int kBackupColumnCount = 21;
BackupRow read_backup(const sql::Statement& row);

Result<> insert_backup(sql::Database& db, const BackupRow& backup);
Result<> update_backup(sql::Database& db, const BackupRow& backup);
// Also one that is deleted, of whatever organization: for the machinery, not for people.
Result<std::optional<BackupRow>> find_backup_row(sql::Database& db, std::string_view id);
Result<std::optional<BackupRow>> find_backup(sql::Database& db, std::string_view organization_id, std::string_view id);

// Its manifest as JSON; absent until it is known. Not a part of the row: it is as large as the rest of it and seldom
// asked for.
Result<std::optional<std::string>> manifest_of(sql::Database& db, std::string_view backup_id);
Result<> keep_manifest(sql::Database& db, std::string_view backup_id, std::string_view manifest);

struct BackupFilter {
    std::string organization_id;
    std::optional<std::string> environment_id;
    std::optional<std::string> project_id;
    std::optional<std::string> status;
    std::optional<std::string> scope;
    std::int64_t limit = 20;
    std::int64_t offset = 0;
};
struct BackupPage {
    std::vector<BackupRow> rows;
    std::int64_t total = 0;
};
// Newest first.
Result<BackupPage> list_backups(sql::Database& db, const BackupFilter& filter);

// Complete base backups that the agent made, of all its clusters, those too that left their archive (deleted_at).
Result<std::vector<BackupRow>> bases_of_agent(sql::Database& db, std::string_view agent_id);
// Complete backups of the environment that have a filestore, around a moment: the last before it and the first after.
Result<std::vector<BackupRow>> full_backups_around(sql::Database& db, std::string_view environment_id, TimeMs at);

struct RestoreRow {
    std::string id;
    std::string organization_id;
    std::string backup_id;
    std::optional<std::string> source_environment_id;
    std::optional<std::string> target_environment_id;
    std::string agent_id;
    std::string target_type;  // same, other
    std::string scope;        // all, db, filestore
    std::string status = "pending";
    TimeMs created_at = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    std::optional<TimeMs> keep_until;  // the instant way back
    std::optional<TimeMs> undone_at;
    std::optional<std::string> error_message;
    std::optional<std::string> safety_backup_id;
    std::string performed_by;
};

Result<> insert_restore(sql::Database& db, const RestoreRow& restore);
Result<> update_restore(sql::Database& db, const RestoreRow& restore);
Result<std::optional<RestoreRow>> find_restore_row(sql::Database& db, std::string_view id);
Result<std::optional<RestoreRow>> find_restore(sql::Database& db, std::string_view organization_id,
                                               std::string_view id);
// With a project, here and below: only restores into its environments.
Result<std::optional<RestoreRow>> latest_restore_of(sql::Database& db, std::string_view organization_id,
                                                    std::string_view backup_id, std::string_view project_id = "");

// "FROM table WHERE …", the filter of both lists of logs: $1 organization, $2 environment as source or target, $3
// project of the target, or "".
std::string of_environment(std::string_view table);

struct RestorePage {
    std::vector<RestoreRow> rows;
    std::int64_t total = 0;
};
// The environment as source or target, newest first.
Result<RestorePage> list_restores(sql::Database& db, std::string_view organization_id, std::string_view environment_id,
                                  std::int64_t limit, std::int64_t offset, std::string_view project_id = "");

}  // namespace backstay::operations
