// Rows of the state as the socket shows them.
#pragma once

#include "agent/config/config.h"
#include "agent/local-api/messages.h"
#include "agent/state/backups.h"
#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/snapshots.h"
#include "common/sqlite/database.h"

namespace backstay::local_api {

// `live` is the progress of a running job, from memory; absent: the last one stored.
Result<JobView> view_job(sqlite::Database& database, const JobRow& row, const std::optional<Progress>& live);
Result<JobDetail> view_detail(sqlite::Database& database, const JobRow& row, const std::optional<Progress>& live);
// The verdict on what this operation of the job left.
RecoveryEvidence verdict_of(const JobRow& row, const OperationEvidence& evidence);
BackupView view_backup(const BackupRow& row);
// What the schedules that the control plane told last run after `now`, the soonest first.
Result<std::vector<NextRunView>> view_next_runs(sqlite::Database& database, TimeMs now);
// Of every cluster with a [[wal]], as far as the agent knows.
Result<WalAnswer> view_archives(const AgentConfig& config, sqlite::Database& database);

SnapshotView view_snapshot(const SnapshotRow& row);

}  // namespace backstay::local_api
