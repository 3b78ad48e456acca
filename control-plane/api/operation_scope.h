// Finding backups, snapshots, restores, rollbacks and operations within what the caller may see; 404 for everything
// else.
#pragma once

#include <string_view>
#include <vector>

#include "control-plane/api/call.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/rows.h"
#include "control-plane/operations/shown_backup.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/destinations.h"

namespace backstay::api {

Result<operations::BackupRow> find_backup(const Call& call, sql::Database& db, std::string_view id);
// The same with what its answer speaks of.
Result<operations::ShownBackup> find_shown_backup(const Call& call, sql::Database& db, std::string_view id);
Result<operations::SnapshotRow> find_snapshot(const Call& call, sql::Database& db, std::string_view id);
Result<operations::RestoreRow> find_restore(const Call& call, sql::Database& db, std::string_view id);
Result<operations::RollbackRow> find_rollback(const Call& call, sql::Database& db, std::string_view id);
// `kind` as in the path; 404 also when the operation is of another kind.
Result<operations::OperationRow> find_operation(const Call& call, sql::Database& db, std::string_view kind,
                                                std::string_view id);

// The destinations that a request names, else the organization's default. 422 destination_not_found, no_destination;
// 400 for ids that are no UUIDs or come twice.
Result<std::vector<store::DestinationRow>> choose_destinations(const Call& call, sql::Database& db,
                                                               const std::vector<std::string>& ids);
// Whose things may be named: an organization's, or only what one of its projects needs.
struct Reach {
    std::string organization_id;
    std::optional<std::string> project_id;
};
inline Reach reach_of(const Call& call) { return {call.organization_id, call.principal.project_id}; }

// The same without the default: none for none.
Result<std::vector<store::DestinationRow>> named_destinations(const Reach& reach, sql::Database& db,
                                                              const std::vector<std::string>& ids);

}  // namespace backstay::api
