// The jobs: blocking functions that run on a worker thread, step by step, and answer with a value. They know no daemon,
// no database of ours and no control plane: what they need stands in JobHost, and evidence goes through Steps.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/evidence/steps.h"
#include "common/domain/manifest.h"
#include "common/domain/orders.h"
#include "common/result.h"

namespace backstay {

// The host as jobs see it. Outlives every job; the atomic may change while jobs run.
struct JobHost {
    const AgentConfig& config;
    std::string agent_id;
    std::string agent_version;
    const Clock& clock;
    const std::atomic<std::uint64_t>& rate_bytes_per_sec;
};

struct BackupOutcome {
    std::string folder;
    Manifest manifest;
    std::uint64_t size_bytes = 0;    // stored bytes of all artifacts on one destination
    std::vector<std::string> notes;  // further whyGreen statements
};

// A backup in its steps (design.md 5). An error means that no destination holds a complete backup; what was written is
// removed again. One destination failing is no error: its step and copies say so.
Result<BackupOutcome> run_backup(const BackupOrder& order, const JobHost& host, Steps& steps);

struct RestoreOutcome {
    std::optional<std::string> safety_backup_id;
    std::vector<std::string> notes;
    std::string previous_database;  // kept for the instant way back; empty: none
    std::string previous_filestore;
};

// Runs the safety backup inside a restore as an operation of its own (its own id, steps and copies).
using SafetyBackupRunner = std::function<Result<BackupOutcome>(const BackupOrder&)>;

// A restore (design.md 6). An error before swap_in leaves the target untouched; after it the previous pair is put back
// and the error carries the fact reverted=true.
Result<RestoreOutcome> run_restore(const RestoreOrder& order, const JobHost& host, Steps& steps,
                                   const SafetyBackupRunner& safety_backup);

struct VerifyOutcome {
    Manifest manifest;
};
Result<VerifyOutcome> run_verify(const VerifyOrder& order, const JobHost& host, Steps& steps);

// Copies and deletions have no steps of their own; they report copy states.
Result<> run_copy(const CopyOrder& order, const JobHost& host, Steps& steps);
Result<> run_delete(const DeleteOrder& order, const JobHost& host, Steps& steps);
Result<> run_test_destination(const TestDestinationOrder& order, const JobHost& host);

// Clean-up after a crash, by the notes that the job left (Steps::note): undoes or completes a swap so that either the
// old or the new pair stands, drops scratch databases and folders, removes uncommitted objects. Idempotent. Answers
// what it did, for the log and the evidence.
Result<std::vector<std::string>> sweep_after_crash(const Facts& notes, const JobHost& host);

// The instant way back: puts the pair kept by a restore in place again. `notes` are those of the restore, which its
// journal keeps. The pair that it replaces is kept in turn, until drop_previous.
Result<> undo_restore(const std::string& restore_id, const Facts& notes, const JobHost& host, Steps& steps);

// Until when a restore keeps the pair that it replaced; nullopt: it keeps none. Afterwards whoever holds the notes
// calls drop_previous (idempotent) and forgets them.
std::optional<TimeMs> previous_kept_until(const Facts& notes);
Result<> drop_previous(const Facts& notes, const JobHost& host);

}  // namespace backstay
