// The jobs about snapshots, beside those of jobs.h and like them.
#pragma once

#include "agent/jobs/jobs.h"
#include "agent/jobs/snapshot/shelf.h"

namespace backstay {

struct SnapshotOutcome {
    BackupOutcome made;
    std::vector<std::string> destination_ids;  // those that hold a whole copy
};

// A snapshot in its steps (contract/semantics.md 7): whole on the host first, then copied. An error means that the host
// holds none; a copy that fails is no error: its step and copies say so.
Result<SnapshotOutcome> run_snapshot(const SnapshotOrder& order, const JobHost& host, Steps& steps,
                                     snapshot::Shelf& shelf);

// Runs the safety snapshot inside a rollback as an operation of its own (its own id, steps and copies).
using SafetySnapshotRunner = std::function<Result<SnapshotOutcome>(const SnapshotOrder&)>;

// Back to a snapshot; promises what run_restore does.
Result<RestoreOutcome> run_rollback(const RollbackOrder& order, const JobHost& host, Steps& steps,
                                    const SafetySnapshotRunner& safety_snapshot);

// Removes a snapshot from its host and from destinations; conflict while a differential needs it. No steps, only copy
// states.
Result<> run_delete_snapshot(const DeleteSnapshotOrder& order, const JobHost& host, Steps& steps,
                             snapshot::Shelf& shelf);

// What a snapshot's manifest on the host says: of one that became whole under a process that died.
Result<BackupOutcome> read_snapshot(const std::string& folder, const std::string& snapshot_id, const JobHost& host);

// What was begun and never became whole: its objects in the host's folder.
Result<> remove_unfinished_snapshot(const std::string& folder, const JobHost& host);

}  // namespace backstay
