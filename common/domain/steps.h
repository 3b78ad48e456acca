// Steps: the named parts of an operation, and what each left behind. Plain values shared by agent and control plane
// (contract/semantics.md 4.3). An operation's steps and the proofs it owes are fixed when it starts.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"

namespace backstay {

enum class Operation { backup, snapshot, restore, rollback, verification };
BOOST_DESCRIBE_ENUM(Operation, backup, snapshot, restore, rollback, verification)

enum class StepStatus { pending, running, completed, failed, skipped };
BOOST_DESCRIBE_ENUM(StepStatus, pending, running, completed, failed, skipped)

// Step names, spelled once. A step about one destination is "remote_upload:<destination id>".
namespace step {
inline constexpr std::string_view kPreflight = "preflight";
inline constexpr std::string_view kDbDump = "db_dump";
inline constexpr std::string_view kFilestoreArchive = "filestore_archive";
inline constexpr std::string_view kFilestoreReconcile = "filestore_reconcile";
inline constexpr std::string_view kConfigCapture = "config_capture";
inline constexpr std::string_view kArtifactChecksums = "artifact_checksums";
inline constexpr std::string_view kManifestWrite = "manifest_write";
inline constexpr std::string_view kLocalVerify = "local_verify";
inline constexpr std::string_view kRemoteUpload = "remote_upload";
inline constexpr std::string_view kRemoteVerify = "remote_verify";
inline constexpr std::string_view kCatalogCommit = "catalog_commit";
inline constexpr std::string_view kValidateTarget = "validate_target";
inline constexpr std::string_view kFetchArtifacts = "fetch_artifacts";
inline constexpr std::string_view kVerifyArtifacts = "verify_artifacts";
inline constexpr std::string_view kSafetyBackup = "safety_backup";
inline constexpr std::string_view kStopInstance = "stop_instance";
inline constexpr std::string_view kRestoreDatabase = "restore_database";
inline constexpr std::string_view kRestoreFilestore = "restore_filestore";
inline constexpr std::string_view kResetDbuuid = "reset_dbuuid";
inline constexpr std::string_view kNeutralize = "neutralize";
inline constexpr std::string_view kSwapIn = "swap_in";
inline constexpr std::string_view kPostRestoreChecks = "post_restore_checks";
inline constexpr std::string_view kStartInstance = "start_instance";
inline constexpr std::string_view kHealthCheck = "health_check";
inline constexpr std::string_view kCleanupPrevious = "cleanup_previous";
inline constexpr std::string_view kStructureCheck = "structure_check";
inline constexpr std::string_view kScratchRestore = "scratch_restore";
inline constexpr std::string_view kContentChecks = "content_checks";
inline constexpr std::string_view kScratchDrop = "scratch_drop";
inline constexpr std::string_view kBaseBackup = "base_backup";
inline constexpr std::string_view kWalContinuity = "wal_continuity";
inline constexpr std::string_view kWalPrune = "wal_prune";
inline constexpr std::string_view kFetchBase = "fetch_base";
inline constexpr std::string_view kFetchWal = "fetch_wal";
inline constexpr std::string_view kReplayToTarget = "replay_to_target";
inline constexpr std::string_view kExtractDatabase = "extract_database";
inline constexpr std::string_view kResolveFilestoreBase = "resolve_filestore_base";
inline constexpr std::string_view kFilestoreCapture = "filestore_capture";
inline constexpr std::string_view kSnapshotPrune = "snapshot_prune";
inline constexpr std::string_view kValidateSnapshot = "validate_snapshot";
inline constexpr std::string_view kSafetySnapshot = "safety_snapshot";
// What later looks at a backup found, as optional steps of the backup itself.
inline constexpr std::string_view kVerification = "verification";
inline constexpr std::string_view kDrill = "drill";
}  // namespace step

// Artifact names: the keys of artifactPaths and artifactChecksums.
namespace artifact {
inline constexpr std::string_view kDatabase = "db";
inline constexpr std::string_view kFilestore = "filestore";
inline constexpr std::string_view kConfig = "config";
inline constexpr std::string_view kManifest = "manifest";
inline constexpr std::string_view kGlobals = "globals";
inline constexpr std::string_view kBase = "base";
inline constexpr std::string_view kBackupManifest = "backup_manifest";  // PostgreSQL's own
}  // namespace artifact

// What a step record holds; the contract serves it at /operations/{type}/{id}/steps.
struct StepRecord {
    std::string name;
    bool required = true;
    StepStatus status = StepStatus::pending;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> completed_at;
    std::optional<std::int64_t> duration_ms;
    std::int32_t attempt = 1;
    std::string output;               // for people, at most 16 KiB, secrets scrubbed: stderr tails, error text
    Facts facts;                      // documented in docs/evidence.md
    std::vector<std::string> proofs;  // proof tokens that this step left (semantics 4.3)
    std::string summary;              // one line for whyGreen, or what went wrong for whyNotGreen; without the name
    std::string reason;               // reason code when failed
};
BOOST_DESCRIBE_STRUCT(StepRecord, (),
                      (name, required, status, started_at, completed_at, duration_ms, attempt, output, facts, proofs,
                       summary, reason))

// CopyRecord::destination_id of the host's own folder of snapshots, which is no destination.
inline constexpr std::string_view kHostPlace = "host";

// One artifact in one destination.
enum class CopyState { pending, uploading, uploaded, verified, failed, missing, corrupt, deleting, deleted };
BOOST_DESCRIBE_ENUM(CopyState, pending, uploading, uploaded, verified, failed, missing, corrupt, deleting, deleted)

struct CopyRecord {
    std::string destination_id;
    std::string artifact;
    CopyState state = CopyState::pending;
    std::string key;     // below the destination's prefix
    std::string sha256;  // of the stored bytes, lower-case hex; empty until known
    std::uint64_t size_bytes = 0;
    std::string message;  // why it failed
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(CopyRecord, (), (destination_id, artifact, state, key, sha256, size_bytes, message, reason))

// What an operation set out to do, fixed at its start.
struct StepPlan {
    std::string name;
    bool required = true;
    std::int32_t weight = 0;  // share of the progress bar; 0: takes no visible time
};
BOOST_DESCRIBE_STRUCT(StepPlan, (), (name, required, weight))

struct OperationPlan {
    Operation operation = Operation::backup;
    std::vector<StepPlan> steps;
    std::vector<std::string> required_proofs;
    std::vector<std::string> destination_ids;  // where copies are due; empty: none required
    std::vector<std::string> artifacts;        // names that each destination must hold
};
BOOST_DESCRIBE_STRUCT(OperationPlan, (), (operation, steps, required_proofs, destination_ids, artifacts))

// The plan of a backup: `scope` is "db" or "full".
OperationPlan plan_backup(std::string_view scope, const std::vector<std::string>& destination_ids, bool with_globals);

// The plan of a base backup.
OperationPlan plan_base_backup(const std::vector<std::string>& destination_ids, bool prunes);

struct RestoreShape {
    std::string scope = "all";   // all, db, filestore
    bool pitr = false;           // the database comes from a base backup and WAL
    bool with_filestore = true;  // the backup has one
    bool safety_backup = true;
    bool neutralize = false;
    bool new_uuid = false;
    bool managed_service = false;  // the agent stops and starts Odoo
    bool health_check = false;
    bool keep_previous = true;
};
OperationPlan plan_restore(const RestoreShape& shape);

// A snapshot; `destination_ids` are those that it is copied to afterwards, which is optional.
OperationPlan plan_snapshot(const std::vector<std::string>& destination_ids);

struct RollbackShape {
    bool with_filestore = true;
    bool safety_snapshot = true;
    bool neutralize = false;
    bool new_uuid = false;
    bool managed_service = false;
    bool health_check = false;
    bool keep_previous = true;
};
OperationPlan plan_rollback(const RollbackShape& shape);

// A verification; with `drill` it restores into a scratch database.
OperationPlan plan_verification(bool drill);

}  // namespace backstay
