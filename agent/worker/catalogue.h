// What finished jobs mean for the catalogue of backups: added, completed, removed.
#pragma once

#include <string>

#include "agent/jobs/jobs.h"
#include "agent/state/evidence.h"
#include "agent/worker/orders.h"
#include "common/sqlite/database.h"

namespace backstay {

// The manifest as reports carry it: without row counts.
json::Object slim_manifest(const Manifest& manifest);

// Adds the backup, with the destinations that hold all of it.
Result<> catalogue_backup(sqlite::Database& database, const BackupOrder& order, const std::string& origin,
                          const BackupOutcome& outcome, const OperationEvidence& evidence, TimeMs now);
// The same of a base backup, and what was pruned after it is forgotten.
Result<> catalogue_base(sqlite::Database& database, const BaseBackupOrder& order, const BaseBackupOutcome& outcome,
                        const OperationEvidence& evidence);
// A snapshot that is whole on the host: completed, or partial by its evidence.
Result<> catalogue_snapshot(sqlite::Database& database, const std::string& snapshot_id,
                            const OperationEvidence& evidence);
// A copy that succeeded: its targets hold the backup now.
Result<> catalogue_copy(sqlite::Database& database, const CopyOrder& order);
Result<> catalogue_deletion(sqlite::Database& database, const DeleteOrder& order);

}  // namespace backstay
