// From what an administrator asks on the socket to complete orders: the configuration says where destinations are, the
// catalogue says where backups lie.
#pragma once

#include "agent/local-api/messages.h"
#include "agent/worker/orders.h"
#include "agent/worker/settings.h"
#include "common/sqlite/database.h"

namespace backstay::local_api {

struct Maker {
    const AgentConfig& config;
    std::string agent_id;
    const Clock& clock;
    sqlite::Database& database;
};

// invalid: an unknown destination, cluster or type; not_found: no such backup; conflict: several fit.
Result<BackupOrder> make_backup(const BackupRequest& request, const Maker& maker);
Result<RestoreOrder> make_restore(const RestoreRequest& request, const Maker& maker);
Result<BaseBackupOrder> make_base(const BaseBackupRequest& request, const Maker& maker);
Result<VerifyOrder> make_verify(const VerifyRequest& request, const Maker& maker);
Result<CopyOrder> make_copy(const CopyRequest& request, const Maker& maker);
Result<DeleteOrder> make_delete(const std::string& backup, const Maker& maker);
Result<UndoOrder> make_undo(const UndoRequest& request, const Maker& maker);
Result<SnapshotOrder> make_snapshot(const SnapshotRequest& request, const Maker& maker);
Result<RollbackOrder> make_rollback(const RollbackRequest& request, const Maker& maker);
// conflict: differentials build on it.
Result<DeleteSnapshotOrder> make_delete_snapshot(const std::string& snapshot, const Maker& maker);

// The row of a job begun on the socket.
JobRequest make_job(Order order, const Maker& maker, const std::string& requested_by, bool reported);

}  // namespace backstay::local_api
