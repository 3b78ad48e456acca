// What goes over the agent's socket: the published language of /v1, for `backstay` and for scripts with curl. JSON in
// camelCase; requests refuse members that they do not know.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/verdict.h"
#include "common/json/json.h"

namespace backstay::local_api {

// Every answer but 2xx.
struct ErrorBody {
    std::string code;  // the word of an Errc: "not_found"
    std::string message;
    std::string reason;  // a reason code, or empty
    std::string hint;
};
BOOST_DESCRIBE_STRUCT(ErrorBody, (), (code, message, reason, hint))

// POST /v1/backups
struct BackupRequest {
    std::string database;
    std::optional<std::string> cluster;
    std::optional<std::string> type;     // full (default), db
    std::optional<std::string> trigger;  // manual (default), pre_deploy, pre_upgrade …
    std::optional<std::string> label;
    std::optional<std::vector<std::string>> destinations;  // ids; absent: all of the configuration
};
BOOST_DESCRIBE_STRUCT(BackupRequest, (), (database, cluster, type, trigger, label, destinations))

// POST /v1/restores
struct RestoreRequest {
    std::string backup;                   // id, or its beginning; "" with `of`
    std::optional<Timestamp> at;          // a moment instead of the backup
    std::optional<std::string> of;        // whose moment, when no backup says it
    std::optional<std::string> database;  // absent: the one that was backed up
    std::optional<std::string> cluster;
    std::optional<std::string> filestore;  // of the target; absent: found
    std::optional<std::string> scope;      // all (default), db, filestore
    std::optional<bool> neutralize;        // absent: only into another database
    std::optional<bool> new_uuid;          // absent: only into another database
    std::optional<bool> safety_backup;     // absent: yes
    std::optional<std::int64_t> keep_previous_ms;
};
BOOST_DESCRIBE_STRUCT(RestoreRequest, (),
                      (backup, at, of, database, cluster, filestore, scope, neutralize, new_uuid, safety_backup,
                       keep_previous_ms))

// GET /v1/wal, and `backstay wal-show --from`: what archives of WAL hold.
struct WalSpan {
    Timestamp start;
    Timestamp end;
};
BOOST_DESCRIBE_STRUCT(WalSpan, (), (start, end))

// Segments without a hole on one timeline.
struct WalRunView {
    std::int64_t timeline = 0;
    std::string start_lsn;
    std::string end_lsn;
    std::uint64_t segments = 0;
    std::optional<Timestamp> last_commit;
};
BOOST_DESCRIBE_STRUCT(WalRunView, (), (timeline, start_lsn, end_lsn, segments, last_commit))

struct WalBaseView {
    std::string backup_id;
    std::int64_t timeline = 0;
    std::string start_lsn;
    std::string stop_lsn;
    Timestamp started_at;
    Timestamp ended_at;
    std::uint64_t size_bytes = 0;
    std::vector<std::string> destination_ids;
    std::string folder;
};
BOOST_DESCRIBE_STRUCT(WalBaseView, (),
                      (backup_id, timeline, start_lsn, stop_lsn, started_at, ended_at, size_bytes, destination_ids,
                       folder))

struct WalArchiveView {
    std::string cluster;  // "" where only a destination was asked
    std::string system_id;
    std::string archive;        // its folder
    std::int64_t timeline = 0;  // the one that is followed
    std::uint64_t segments = 0;
    std::uint64_t wal_bytes = 0;   // stored
    std::uint64_t base_bytes = 0;  // stored
    std::vector<WalRunView> runs;
    std::vector<WalBaseView> bases;
    std::vector<WalSpan> ranges;
    std::vector<WalSpan> gaps;
    std::optional<Timestamp> earliest_recoverable;
    std::optional<Timestamp> latest_recoverable;
    std::vector<std::string> faults;
};
BOOST_DESCRIBE_STRUCT(WalArchiveView, (),
                      (cluster, system_id, archive, timeline, segments, wal_bytes, base_bytes, runs, bases, ranges,
                       gaps, earliest_recoverable, latest_recoverable, faults))

struct WalAnswer {
    std::vector<WalArchiveView> archives;
};
BOOST_DESCRIBE_STRUCT(WalAnswer, (), (archives))

// POST /v1/base-backups
struct BaseBackupRequest {
    std::optional<std::string> cluster;
    std::optional<std::vector<std::string>> destinations;  // ids; absent: those of the cluster's [[wal]]
};
BOOST_DESCRIBE_STRUCT(BaseBackupRequest, (), (cluster, destinations))

// POST /v1/verifications
struct VerifyRequest {
    std::string backup;
    std::optional<bool> drill;
};
BOOST_DESCRIBE_STRUCT(VerifyRequest, (), (backup, drill))

// POST /v1/copies: to every configured destination that lacks it, or to those named.
struct CopyRequest {
    std::string backup;
    std::optional<std::vector<std::string>> destinations;
};
BOOST_DESCRIBE_STRUCT(CopyRequest, (), (backup, destinations))

// POST /v1/undos
struct UndoRequest {
    std::string restore;  // the job's id, the restore's id, or the beginning of the job's
};
BOOST_DESCRIBE_STRUCT(UndoRequest, (), (restore))

// 202 of the above and of orders about snapshots, and of DELETE /v1/backups/{id} and /v1/snapshots/{id}.
struct Accepted {
    std::string job_id;
    std::string operation_id;
};
BOOST_DESCRIBE_STRUCT(Accepted, (), (job_id, operation_id))

struct JobView {
    std::string job_id;
    std::string kind;
    std::string origin;
    std::string requested_by;
    std::string operation_id;
    std::string cluster;
    std::string database;
    std::string state;   // queued, running, succeeded, failed, cancelled, interrupted, rejected
    std::string status;  // the operation's, by its evidence: pending, running, completed, partial, failed …
    Timestamp created_at;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> ended_at;
    std::string reason;
    std::string error_message;
    std::uint64_t size_bytes = 0;
    std::optional<std::string> folder;
    std::optional<Progress> progress;
};
BOOST_DESCRIBE_STRUCT(JobView, (),
                      (job_id, kind, origin, requested_by, operation_id, cluster, database, state, status, created_at,
                       started_at, ended_at, reason, error_message, size_bytes, folder, progress))

// GET /v1/jobs
struct JobList {
    std::vector<JobView> jobs;
};
BOOST_DESCRIBE_STRUCT(JobList, (), (jobs))

// A report that the control plane will never take.
struct RefusedReport {
    std::string job_id;
    std::int64_t fence = 0;
    std::int64_t seq = 0;
    std::string kind;
    std::string code;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(RefusedReport, (), (job_id, fence, seq, kind, code, message))

// GET /v1/refused-reports, newest first; at most a thousand are kept
struct RefusedReportList {
    std::vector<RefusedReport> reports;
};
BOOST_DESCRIBE_STRUCT(RefusedReportList, (), (reports))

// POST /v1/report-again: for a control plane that was put back to its state of then
struct ReportAgainRequest {
    Timestamp since;
};
BOOST_DESCRIBE_STRUCT(ReportAgainRequest, (), (since))

struct ReportAgainAnswer {
    std::int64_t jobs = 0;     // backups and snapshots that are told of
    std::int64_t reports = 0;  // that wait for the control plane now
    std::int64_t waiting = 0;  // jobs left out, because reports of theirs were not sent yet
};
BOOST_DESCRIBE_STRUCT(ReportAgainAnswer, (), (jobs, reports, waiting))

// Jobs whose operation is judged by its steps; others (copies, deletions, undos) by their outcome alone.
inline bool has_evidence(std::string_view kind) {
    return kind == "backup" || kind == "restore" || kind == "verify" || kind == "base_backup" || kind == "snapshot" ||
           kind == "rollback";
}

struct OperationView {
    std::string operation_id;
    std::vector<StepRecord> steps;
    std::vector<CopyRecord> copies;
    RecoveryEvidence recovery_evidence;
};
BOOST_DESCRIBE_STRUCT(OperationView, (), (operation_id, steps, copies, recovery_evidence))

// GET /v1/jobs/{id}; its own operation first, then those inside it.
struct JobDetail {
    JobView job;
    json::Object order;  // without secrets
    std::vector<std::string> notes;
    std::vector<OperationView> operations;
};
BOOST_DESCRIBE_STRUCT(JobDetail, (), (job, order, notes, operations))

struct BackupView {
    std::string backup_id;
    Timestamp created_at;
    Timestamp completed_at;
    std::string cluster;
    std::string database;
    std::string scope;
    std::string trigger;
    std::optional<std::string> label;
    std::string origin;
    std::string status;
    std::string folder;
    std::uint64_t size_bytes = 0;
    std::vector<std::string> destination_ids;
};
BOOST_DESCRIBE_STRUCT(BackupView, (),
                      (backup_id, created_at, completed_at, cluster, database, scope, trigger, label, origin, status,
                       folder, size_bytes, destination_ids))

// GET /v1/backups
struct BackupList {
    std::vector<BackupView> backups;
};
BOOST_DESCRIBE_STRUCT(BackupList, (), (backups))

// POST /v1/snapshots
struct SnapshotRequest {
    std::string database;
    std::optional<std::string> cluster;
    std::optional<std::string> trigger;  // manual (default), pre_deploy, pre_rollback, pre_restore, pre_upgrade
    std::optional<std::string> label;
    std::optional<bool> full;                              // absent: the agent decides
    std::optional<std::vector<std::string>> destinations;  // ids to copy it to afterwards; absent: none
};
BOOST_DESCRIBE_STRUCT(SnapshotRequest, (), (database, cluster, trigger, label, full, destinations))

// POST /v1/rollbacks
struct RollbackRequest {
    std::string snapshot;                 // id, or its beginning
    std::optional<std::string> database;  // absent: the one that the snapshot is of
    std::optional<std::string> cluster;
    std::optional<std::string> filestore;  // of the target; absent: found
    std::optional<bool> neutralize;        // absent: only into another database
    std::optional<bool> new_uuid;          // absent: only into another database
    std::optional<bool> safety_snapshot;   // absent: yes
    std::optional<std::int64_t> keep_previous_ms;
};
BOOST_DESCRIBE_STRUCT(RollbackRequest, (),
                      (snapshot, database, cluster, filestore, neutralize, new_uuid, safety_snapshot, keep_previous_ms))

struct SnapshotView {
    std::string snapshot_id;
    Timestamp created_at;
    std::optional<Timestamp> completed_at;
    std::string cluster;
    std::string database;
    std::string trigger;
    std::optional<std::string> label;
    std::string origin;
    std::string status;  // completed, partial, deleting
    std::string mode;    // full, differential
    std::optional<std::string> base_id;
    std::string folder;  // below the host's folder of snapshots, and in each destination
    std::uint64_t size_bytes = 0;
    std::vector<std::string> destination_ids;  // copies besides the host's own
};
BOOST_DESCRIBE_STRUCT(SnapshotView, (),
                      (snapshot_id, created_at, completed_at, cluster, database, trigger, label, origin, status, mode,
                       base_id, folder, size_bytes, destination_ids))

// GET /v1/snapshots
struct SnapshotList {
    std::vector<SnapshotView> snapshots;
};
BOOST_DESCRIBE_STRUCT(SnapshotList, (), (snapshots))

// GET /v1/limits answers all of them; PUT /v1/limits changes those that are there, until the next start or reload.
struct LimitsView {
    std::optional<std::uint64_t> rate_bytes_per_sec;
    std::optional<std::int32_t> concurrent_jobs;
    std::optional<std::int32_t> zstd_level;
    std::optional<std::int32_t> compression_threads;
    std::optional<std::int32_t> dump_jobs;
    std::optional<std::uint64_t> parallel_dump_bytes;
    std::optional<std::int32_t> restore_jobs;
    std::optional<std::int32_t> nice;
    std::optional<bool> idle_io;
};
BOOST_DESCRIBE_STRUCT(LimitsView, (),
                      (rate_bytes_per_sec, concurrent_jobs, zstd_level, compression_threads, dump_jobs,
                       parallel_dump_bytes, restore_jobs, nice, idle_io))

struct ControlPlaneView {
    std::string url;
    bool enrolled = false;
    bool connected = false;
    std::optional<Timestamp> last_contact_at;
    std::string last_error;
    std::string last_code;  // as ErrorBody::code; denied: the credential was refused
    std::int64_t unsent_reports = 0;
    std::int64_t refused_reports = 0;
};
BOOST_DESCRIBE_STRUCT(ControlPlaneView, (),
                      (url, enrolled, connected, last_contact_at, last_error, last_code, unsent_reports,
                       refused_reports))

struct WalDestinationView {
    std::string id;
    std::string name;
    bool down = false;
    std::string why;
    std::uint64_t lacking = 0;    // files that it is to get from another destination
    std::uint64_t conflicts = 0;  // files of which it holds another content: somebody must look
};
BOOST_DESCRIBE_STRUCT(WalDestinationView, (), (id, name, down, why, lacking, conflicts))

// The archive of one cluster's WAL.
struct WalView {
    std::string cluster;
    std::string system_id;  // empty: the server was not reached yet
    std::string archive;    // its folder in the destinations
    std::string ack;
    std::string on_overflow;
    std::string state;  // idle, ok, lagging, failing, conflict, dropping
    std::string why;
    std::string setup_fault;  // what in the server's settings keeps it from archiving
    std::optional<Timestamp> last_archived_at;
    std::string last_archived;
    std::int64_t failed_count = 0;                     // since the agent's start
    std::uint64_t backlog_bytes = 0;                   // of WAL that waits in pg_wal
    std::optional<std::int64_t> lag_seconds;           // age of the oldest WAL that waits
    std::optional<std::int64_t> growth_bytes_per_sec;  // of the backlog
    std::optional<std::int64_t> seconds_to_full;       // of pg_wal's disk at that rate
    std::uint64_t spool_bytes = 0;
    std::uint64_t archived_files = 0;  // these three since the agent's start
    std::uint64_t archived_bytes = 0;
    std::uint64_t dropped_files = 0;
    std::uint64_t segments = 0;  // these two in all
    std::uint64_t stored_bytes = 0;
    std::vector<WalDestinationView> destinations;
    std::vector<std::string> alerts;  // what somebody ought to look at
};
BOOST_DESCRIBE_STRUCT(WalView, (),
                      (cluster, system_id, archive, ack, on_overflow, state, why, setup_fault, last_archived_at,
                       last_archived, failed_count, backlog_bytes, lag_seconds, growth_bytes_per_sec, seconds_to_full,
                       spool_bytes, archived_files, archived_bytes, dropped_files, segments, stored_bytes, destinations,
                       alerts))

// POST /v1/wal-setup: what PostgreSQL's settings are and ought to be; with `apply` they are changed.
struct WalSetupRequest {
    std::optional<std::string> cluster;
    std::optional<bool> apply;
};
BOOST_DESCRIBE_STRUCT(WalSetupRequest, (), (cluster, apply))

struct WalSettingView {
    std::string name;
    std::string current;
    std::string wanted;
    bool good = false;
    bool needs_restart = false;
};
BOOST_DESCRIBE_STRUCT(WalSettingView, (), (name, current, wanted, good, needs_restart))

struct WalSetupAnswer {
    std::string cluster;
    bool ready = true;
    bool needs_restart = false;
    std::vector<WalSettingView> settings;
};
BOOST_DESCRIBE_STRUCT(WalSetupAnswer, (), (cluster, ready, needs_restart, settings))

// GET /v1/status
// What a schedule of the control plane runs next.
struct NextRunView {
    std::string cluster;
    std::string database;
    std::string scope;  // db, full
    Timestamp at;
    std::string time_zone;
};
BOOST_DESCRIBE_STRUCT(NextRunView, (), (cluster, database, scope, at, time_zone))

// A destination as this agent saw it last; how to reach it and its secrets stay in the configuration.
struct DestinationView {
    std::string id;
    std::string name;
    std::string type;         // as a [[destination]]'s; empty: not known here
    bool configured = false;  // a [[destination]] of this host; else one that came with orders
    std::optional<Timestamp> last_used_at;
    std::string last_result;  // ok, failed; empty: never used
    std::string last_error;
    std::string reason;
    std::optional<std::uint64_t> free_bytes;  // of a local one, as measured last
    std::optional<std::uint64_t> min_free_bytes;
};
BOOST_DESCRIBE_STRUCT(DestinationView, (),
                      (id, name, type, configured, last_used_at, last_result, last_error, reason, free_bytes,
                       min_free_bytes))

// What the agent does next by itself.
struct UpcomingView {
    std::string kind;  // backup, base_backup, snapshot_removal, previous_removal, sweep, wal_fill
    std::string cluster;
    std::string database;
    std::optional<Timestamp> at;  // absent: as soon as it can be done
    std::string message;
};
BOOST_DESCRIBE_STRUCT(UpcomingView, (), (kind, cluster, database, at, message))

// One reason for which this host is not all green.
struct WhyReason {
    std::string status;   // amber, red: what it makes of the whole
    std::string subject;  // "database shop", "destination disk", "WAL of main", "control plane"
    std::string message;
    std::optional<Timestamp> since;
    std::string reason;                      // a reason code of docs/operations.md, or empty
    std::vector<std::string> why_not_green;  // the evidence's own words
    std::string hint;                        // what to do
    std::string next;                        // what the agent does about it by itself
    std::optional<Timestamp> next_at;
    std::string cluster;
    std::string database;
    std::string job_id;
};
BOOST_DESCRIBE_STRUCT(WhyReason, (),
                      (status, subject, message, since, reason, why_not_green, hint, next, next_at, cluster, database,
                       job_id))

// The last backup of a database that is proven, or the last base backup of a cluster.
struct ProvenView {
    std::string cluster;
    std::string database;  // empty: a base backup
    std::string backup_id;
    Timestamp completed_at;
    std::optional<Timestamp> read_back_at;  // when its copies were read back; absent: nothing is known of it any more
    std::vector<std::string> destination_ids;
};
BOOST_DESCRIBE_STRUCT(ProvenView, (), (cluster, database, backup_id, completed_at, read_back_at, destination_ids))

// GET /v1/why
struct WhyAnswer {
    std::string status;              // green, amber, red; of a job that is not over pending, in_progress
    std::vector<WhyReason> reasons;  // the worst first
    std::vector<ProvenView> proven;
    std::vector<std::string> why_green;  // of one job: its evidence's own words
};
BOOST_DESCRIBE_STRUCT(WhyAnswer, (), (status, reasons, proven, why_green))

// What was lost of the agent's own state, until somebody has seen to it: POST /v1/adoptions.
struct StateLossView {
    Timestamp at;
    std::string why;
    std::vector<std::string> kept_as;  // files that were set aside
};
BOOST_DESCRIBE_STRUCT(StateLossView, (), (at, why, kept_as))

struct StatusAnswer {
    std::string version;
    std::string agent_id;
    std::int64_t pid = 0;
    Timestamp started_at;
    ControlPlaneView control_plane;
    std::vector<std::string> destinations;
    std::vector<JobView> active;           // queued and running
    std::vector<BackupView> last_backups;  // the newest of each database
    std::vector<SnapshotView> last_snapshots;
    std::vector<WalView> wal;            // each [[wal]]
    std::vector<NextRunView> next_runs;  // the soonest first
    std::vector<DestinationView> destination_states;
    std::vector<UpcomingView> upcoming;             // the soonest first
    std::optional<std::uint64_t> state_free_bytes;  // of state_dir's disk, as measured last
    WhyAnswer why;
    std::optional<StateLossView> state_lost;
};
BOOST_DESCRIBE_STRUCT(StatusAnswer, (),
                      (version, agent_id, pid, started_at, control_plane, destinations, active, last_backups,
                       last_snapshots, wal, next_runs, destination_states, upcoming, state_free_bytes, why, state_lost))

// GET /v1/check
struct CheckLine {
    std::string subject;  // "database shop", "destination disk"
    std::string name;     // "pg_dump"
    std::string result;   // ok, warning, failed
    std::string message;
    std::string hint;
};
BOOST_DESCRIBE_STRUCT(CheckLine, (), (subject, name, result, message, hint))

struct CheckAnswer {
    std::vector<CheckLine> checks;
};
BOOST_DESCRIBE_STRUCT(CheckAnswer, (), (checks))

}  // namespace backstay::local_api
