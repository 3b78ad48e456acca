// The messages between agent and control plane, under /agent/v1 (README.md beside this file tells who sends what,
// when). JSON in camelCase; readers ignore fields they do not know, so that either side may be one version ahead.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/manifest.h"
#include "common/domain/orders.h"
#include "common/domain/progress.h"
#include "common/domain/steps.h"
#include "common/json/json.h"

namespace backstay::control_plane {

inline constexpr std::int32_t kProtocolVersion = 1;

// POST /agent/v1/enroll, without credential. 401 when the token is unknown, used or expired.
struct EnrollRequest {
    std::string token;
    std::string hostname;
    std::string agent_version;
    std::int32_t protocol_version = kProtocolVersion;
};
BOOST_DESCRIBE_STRUCT(EnrollRequest, (), (token, hostname, agent_version, protocol_version))

struct EnrollAnswer {
    std::string agent_id;
    std::string organization_id;
    std::string name;
    std::string credential;  // sent as `Authorization: Bearer …` from now on; shown this once
};
BOOST_DESCRIBE_STRUCT(EnrollAnswer, (), (agent_id, organization_id, name, credential))

struct DatabaseInfo {
    std::string name;
    std::string owner;
    std::uint64_t size_bytes = 0;
    bool is_odoo = false;
    std::optional<std::string> odoo_version;  // "17.0"
    std::optional<std::string> base_version;  // "17.0.1.3"
    std::optional<std::string> database_uuid;
    std::optional<bool> is_neutralized;
    std::optional<std::int32_t> installed_modules;
    std::optional<std::string> filestore;          // found path
    std::optional<std::uint64_t> filestore_bytes;  // of the files that its attachments name, each once
    std::optional<std::string> odoo_conf;
    std::optional<std::string> problem;  // why it could not be looked into
};
BOOST_DESCRIBE_STRUCT(DatabaseInfo, (),
                      (name, owner, size_bytes, is_odoo, odoo_version, base_version, database_uuid, is_neutralized,
                       installed_modules, filestore, filestore_bytes, odoo_conf, problem))

struct ClusterInfo {
    std::string name;
    std::string host;
    std::int32_t port = 5432;
    std::optional<std::string> server_version;
    std::optional<std::int32_t> server_version_num;
    std::optional<std::string> system_id;
    std::optional<std::string> problem;
    std::vector<DatabaseInfo> databases;
};
BOOST_DESCRIBE_STRUCT(ClusterInfo, (),
                      (name, host, port, server_version, server_version_num, system_id, problem, databases))

struct DiskInfo {
    std::string path;
    std::string role;  // "scratch", "state", "filestore", "snapshots", "destination"
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
};
BOOST_DESCRIBE_STRUCT(DiskInfo, (), (path, role, free_bytes, total_bytes))

struct Inventory {
    std::string hostname;
    std::vector<ClusterInfo> clusters;
    std::vector<DiskInfo> disks;
};
BOOST_DESCRIBE_STRUCT(Inventory, (), (hostname, clusters, disks))

struct TimeSpan {
    Timestamp start;
    Timestamp end;
};
BOOST_DESCRIBE_STRUCT(TimeSpan, (), (start, end))

struct WalArchiving {
    bool enabled = false;
    std::string status = "off";  // ok, lagging, failing, off
    std::optional<Timestamp> last_archived_at;
    std::optional<std::string> last_archived_segment;
    std::int64_t failed_count = 0;
    std::optional<std::int64_t> lag_seconds;  // since the oldest WAL that waits; absent: nothing waits
    std::uint64_t spool_bytes = 0;
    std::uint64_t backlog_bytes = 0;                      // of WAL that waits in pg_wal
    std::optional<std::int64_t> seconds_to_full;          // of pg_wal's file system at the present rate; absent: never
    std::optional<std::int64_t> archive_timeout_seconds;  // the server's own setting; 0: off
    std::optional<std::int32_t> retention_days;           // that retention goes by, the host's and the wished one met
};
BOOST_DESCRIBE_STRUCT(WalArchiving, (),
                      (enabled, status, last_archived_at, last_archived_segment, failed_count, lag_seconds, spool_bytes,
                       backlog_bytes, seconds_to_full, archive_timeout_seconds, retention_days))

struct WalBase {
    std::string backup_id;
    Timestamp timestamp;  // of its end: the first moment that it makes reachable
};
BOOST_DESCRIBE_STRUCT(WalBase, (), (backup_id, timestamp))

// One cluster's archive of WAL: what of its time can be had back (common/domain/wal_coverage.h), and how archiving is.
struct ClusterWal {
    std::string cluster;
    std::string system_id;
    std::string archive;                       // the archive's folder, for PitrOrder
    std::vector<std::string> destination_ids;  // where it lies, as the agent's configuration names them
    WalArchiving archiving;
    std::vector<WalBase> base_backups;
    std::optional<Timestamp> earliest_recoverable;
    std::optional<Timestamp> latest_recoverable;
    std::vector<TimeSpan> wal_ranges;
    std::vector<TimeSpan> gaps;
};
BOOST_DESCRIBE_STRUCT(ClusterWal, (),
                      (cluster, system_id, archive, destination_ids, archiving, base_backups, earliest_recoverable,
                       latest_recoverable, wal_ranges, gaps))

// A job that the agent holds: queued or running.
struct HeldJob {
    std::string job_id;
    std::int64_t fence = 0;
};
BOOST_DESCRIBE_STRUCT(HeldJob, (), (job_id, fence))

// One moment of a schedule of which the agent began a backup.
struct ScheduledRun {
    std::string environment_id;
    std::string scope;  // db, full
    Timestamp due_at;
};
BOOST_DESCRIBE_STRUCT(ScheduledRun, (), (environment_id, scope, due_at))

// When an environment is backed up by itself, with all that a backup needs. Destinations come with their secrets: the
// agent keeps those in memory only.
struct ScheduledEnvironment {
    EnvironmentOrder environment;
    std::string time_zone;
    std::string db_cron;  // empty: none
    std::string full_cron;
    std::vector<DestinationOrder> destinations;
    std::vector<std::string> encrypt_for;
};
BOOST_DESCRIBE_STRUCT(ScheduledEnvironment, (), (environment, time_zone, db_cron, full_cron, destinations, encrypt_for))

// What schedules ask of a cluster's WAL that the host archives: the longest window, the shortest interval. The host's
// own
// [[wal]] may keep more and take base backups oftener, and it alone says whether there is an archive at all.
struct WalWish {
    std::string cluster;  // as the agent names it
    std::int32_t retention_days = 0;
    std::int32_t base_every_days = 0;
};
BOOST_DESCRIBE_STRUCT(WalWish, (), (cluster, retention_days, base_every_days))

// All schedules of the agent's environments that are on and not paused; wishes about WAL hold while they are paused,
// too.
struct ScheduleBook {
    std::string version;
    std::vector<ScheduledEnvironment> schedules;
    std::vector<WalWish> wal;
};
BOOST_DESCRIBE_STRUCT(ScheduleBook, (), (version, schedules, wal))

// POST /agent/v1/heartbeat, every 20 s (jittered), and at once when the inventory changes. 409 duplicate_agent: another
// process with this identity is alive; the agent then backs off and says so.
struct Heartbeat {
    std::string instance_id;  // new at each start of the process
    std::string agent_version;
    std::int32_t protocol_version = kProtocolVersion;
    Timestamp sent_at;                            // the agent's clock: skew is seen here
    std::optional<Inventory> inventory;           // absent: as last time
    std::vector<HeldJob> jobs;                    // renews their leases
    std::optional<std::vector<ClusterWal>> wal;   // of clusters whose WAL this agent archives; absent: as last time
    std::optional<std::string> schedule_version;  // of the book that it has, "" for none; absent: it keeps none
    std::vector<ScheduledRun> scheduled_runs;     // the newest of each environment and scope, whoever asked for it
};
BOOST_DESCRIBE_STRUCT(Heartbeat, (),
                      (instance_id, agent_version, protocol_version, sent_at, inventory, jobs, wal, schedule_version,
                       scheduled_runs))

struct HeartbeatAnswer {
    Timestamp server_time;
    std::int64_t interval_ms = 20'000;
    bool inventory_wanted = false;           // send it with the next one
    std::vector<std::string> cancel;         // job ids that somebody asked to stop
    std::vector<HeldJob> lost;               // leases that are no longer this agent's: stop without reporting
    std::optional<ScheduleBook> schedules;   // absent: as last time
    std::optional<Timestamp> decided_until;  // about due moments up to here the control plane has decided, and told
};
BOOST_DESCRIBE_STRUCT(HeartbeatAnswer, (),
                      (server_time, interval_ms, inventory_wanted, cancel, lost, schedules, decided_until))

// What a job does; `order` is the struct of common/domain/orders.h of that kind.
// backup → BackupOrder, restore → RestoreOrder, verify → VerifyOrder, copy → CopyOrder, delete → DeleteOrder,
// undo → UndoOrder, test_destination → TestDestinationOrder, base_backup → BaseBackupOrder, snapshot → SnapshotOrder,
// rollback → RollbackOrder, delete_snapshot → DeleteSnapshotOrder.
struct Assignment {
    std::string job_id;
    std::int64_t fence = 0;  // rises each time the job is handed out; reports under an older number are refused
    std::int32_t attempt = 1;
    std::string kind;
    std::int64_t lease_ms = 120'000;  // renewed by each heartbeat that names the job
    json::Object order;
};
BOOST_DESCRIBE_STRUCT(Assignment, (), (job_id, fence, attempt, kind, lease_ms, order))

// POST /agent/v1/assignments: a long poll of at most `waitMs`. An assignment is offered again until its acceptance or
// rejection is reported or its lease ends; the agent ignores (job, fence) pairs that it has.
struct AssignmentsRequest {
    std::string instance_id;
    std::int64_t wait_ms = 25'000;
    std::int32_t free_slots = 1;       // at most so many are handed out; quick jobs (delete, undo, test) come always
    std::int32_t storage_version = 0;  // of the storage requests that it answers; 0: none
};
BOOST_DESCRIBE_STRUCT(AssignmentsRequest, (), (instance_id, wait_ms, free_slots, storage_version))

inline constexpr std::int32_t kStorageVersion = 2;
inline constexpr std::int32_t kTakesCancels = 2;  // from this version on

// Somebody wants to look into a destination on the agent's host. Handed out once, within the long poll, to agents that
// say a storageVersion; answered within a minute. Actions: stat and remove (key), list (prefix … maxEntries), free;
// cancel (since version 2): nobody waits any more for the request of that requestId; read (key, first, count), whose
// content is the body of the answer; write (key, expectedBytes), whose content is got by GET
// /agent/v1/storage/{requestId}.
struct StorageRequest {
    std::string request_id;
    std::string action;
    DestinationOrder destination;
    std::string key;
    std::uint64_t first = 0;
    std::uint64_t count = 0;  // 0: to the end
    std::string prefix;
    bool one_level = false;
    std::string continue_after;
    std::uint64_t max_entries = 1000;
    std::uint64_t expected_bytes = 0;
};
BOOST_DESCRIBE_STRUCT(StorageRequest, (),
                      (request_id, action, destination, key, first, count, prefix, one_level, continue_after,
                       max_entries, expected_bytes))

struct StorageObject {
    std::string key;
    std::uint64_t size_bytes = 0;
    Timestamp modified_at;
    std::string etag;
};
BOOST_DESCRIBE_STRUCT(StorageObject, (), (key, size_bytes, modified_at, etag))

struct StorageFailure {
    std::string code;  // invalid, not_found, conflict, denied, unavailable, timed_out, corrupted, exhausted, io
    std::string reason;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(StorageFailure, (), (code, reason, message))

// POST /agent/v1/storage/{requestId}: JSON, or for `read` the content itself (application/octet-stream with its
// length). 404: nobody waits for it any more.
struct StorageAnswer {
    std::optional<StorageFailure> failure;
    std::optional<StorageObject> object;  // stat, write
    std::vector<StorageObject> objects;   // list
    std::vector<std::string> folders;
    std::string next;
    std::optional<std::uint64_t> free_bytes;
};
BOOST_DESCRIBE_STRUCT(StorageAnswer, (), (failure, object, objects, folders, next, free_bytes))

struct AssignmentsAnswer {
    std::vector<Assignment> assignments;
    std::vector<std::string> cancel;  // as in the heartbeat, sooner
    std::vector<StorageRequest> storage;
};
BOOST_DESCRIBE_STRUCT(AssignmentsAnswer, (), (assignments, cancel, storage))

enum class ReportKind {
    declared,  // a job that the agent started by itself: kind and order without secrets
    accepted,
    rejected,  // reason, message: the job cannot run here; final
    planned,   // the operation's plan, fixed at its start
    step,      // a step record, whenever it begins or ends
    copy,      // the state of one artifact in one destination
    progress,  // may be dropped or merged: only the newest matters
    finished,  // the job's outcome; nothing follows under this fence
};
BOOST_DESCRIBE_ENUM(ReportKind, declared, accepted, rejected, planned, step, copy, progress, finished)

struct JobDeclaration {
    std::string kind;
    json::Object order;  // destinations by id only, configs removed
    std::string origin;  // "socket", "schedule"
};
BOOST_DESCRIBE_STRUCT(JobDeclaration, (), (kind, order, origin))

enum class JobOutcome { succeeded, failed, cancelled, interrupted };
BOOST_DESCRIBE_ENUM(JobOutcome, succeeded, failed, cancelled, interrupted)

struct JobFinish {
    JobOutcome outcome = JobOutcome::failed;
    std::string reason;         // reason code; empty on success
    std::string error_message;  // for people; empty on success
    bool transient = false;     // another attempt may help
    bool reverted = false;
    std::vector<std::string> notes;     // further whyGreen statements
    std::optional<std::string> folder;  // the backup's folder in its destinations
    std::uint64_t size_bytes = 0;       // stored bytes on one destination
    std::uint64_t database_bytes = 0;   // uncompressed
    std::uint64_t filestore_bytes = 0;  // uncompressed
    std::optional<std::string> safety_backup_id;
    std::optional<json::Object> manifest;  // without row counts
};
BOOST_DESCRIBE_STRUCT(JobFinish, (),
                      (outcome, reason, error_message, transient, reverted, notes, folder, size_bytes, database_bytes,
                       filestore_bytes, safety_backup_id, manifest))

// One thing that happened. Exactly the member of its kind is set. `seq` counts 1, 2, 3 … within (jobId, fence), without
// a hole: the control plane takes them in order, ignores what it has, and answers up to where it got.
struct Report {
    std::string job_id;
    std::string operation_id;  // the job's own, or that of an operation inside it (a restore's safety backup)
    std::int64_t fence = 0;    // 0: declared by the agent itself
    std::int64_t seq = 0;
    Timestamp at;
    ReportKind kind = ReportKind::progress;
    std::optional<JobDeclaration> declared;
    std::optional<std::string> reason;   // rejected
    std::optional<std::string> message;  // rejected
    std::optional<OperationPlan> plan;
    std::optional<StepRecord> step;
    std::optional<CopyRecord> copy;
    std::optional<Progress> progress;
    std::optional<JobFinish> finished;
};
BOOST_DESCRIBE_STRUCT(Report, (),
                      (job_id, operation_id, fence, seq, at, kind, declared, reason, message, plan, step, copy,
                       progress, finished))

// POST /agent/v1/reports, at most 100 reports, oldest first.
struct ReportBatch {
    std::string instance_id;
    std::vector<Report> reports;
};
BOOST_DESCRIBE_STRUCT(ReportBatch, (), (instance_id, reports))

// A report that can never be taken, while its job goes on: it counts as delivered and is not sent again.
struct RejectedReport {
    std::int64_t seq = 0;
    std::string code;  // not_understood, or the kind of failure (invalid, conflict, corrupted, …)
    std::string message;
};
BOOST_DESCRIBE_STRUCT(RejectedReport, (), (seq, code, message))

struct ReportAck {
    std::string job_id;
    std::int64_t fence = 0;
    std::int64_t seq = 0;  // everything up to here is stored or rejected, and may leave the outbox
    bool refused = false;  // an older fence, or a job that is not this agent's: drop them all, stop the job
    std::string message;
    std::vector<RejectedReport> rejected;  // of this batch
};
BOOST_DESCRIBE_STRUCT(ReportAck, (), (job_id, fence, seq, refused, message, rejected))

struct ReportAnswer {
    std::vector<ReportAck> acks;
};
BOOST_DESCRIBE_STRUCT(ReportAnswer, (), (acks))

}  // namespace backstay::control_plane
