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

// What a job that made a backup or a snapshot reports of it.
void describe_backup(const BackupOutcome& outcome, control_plane::JobFinish& finish);

// Adds the backup, with the destinations that hold all of it.
Result<> catalogue_backup(sqlite::Database& database, const BackupOrder& order, const std::string& origin,
                          const BackupOutcome& outcome, const OperationEvidence& evidence, TimeMs now);
// The same of a base backup.
Result<> catalogue_base(sqlite::Database& database, const BaseBackupOrder& order, const BaseBackupOutcome& outcome,
                        const OperationEvidence& evidence);
// What is to be pruned of the archive that this base backup is in, and bases that no destination has any more.
Result<> forget_archived(sqlite::Database& database, const Manifest& base, const wal::Disposal& gone,
                         const std::vector<std::string>& stored);
// A snapshot that is whole on the host: completed, or partial by its evidence.
Result<> catalogue_snapshot(sqlite::Database& database, const std::string& snapshot_id,
                            const OperationEvidence& evidence);
// One that became whole while its process died: the journal's last step too, and the copies that were whole by then.
// False: it did not become whole. `evidence` as it stands now.
Result<bool> catalogue_survivor(sqlite::Database& database, OperationEvidence& evidence, TimeMs now);
// Copies of snapshots that were whole before their job could say so.
Result<> catalogue_copies(sqlite::Database& database, const std::vector<FoundCopy>& found);
// A copy that succeeded: its targets hold the backup now.
Result<> catalogue_copy(sqlite::Database& database, const CopyOrder& order);
Result<> catalogue_deletion(sqlite::Database& database, const DeleteOrder& order);

}  // namespace backstay
