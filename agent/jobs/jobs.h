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
#include "common/domain/wal_retention.h"
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

// What retention removed from a cluster's archive.
struct Pruned {
    std::string archive;
    wal::Disposal disposal;
    std::uint64_t segments = 0;
};
Testimony testify(const Pruned& pruned);

struct BaseBackupOutcome {
    std::string folder;
    Manifest manifest;
    std::uint64_t size_bytes = 0;    // stored bytes of all artifacts on one destination
    std::vector<std::string> notes;  // further whyGreen statements
    std::optional<Pruned> pruned;
};

// What the agent remembers of an archive while a base backup prunes it; jobs know no state. Each may be empty.
struct ArchiveMemory {
    // The new base is complete: before anything goes that it replaces.
    std::function<Result<>(const BaseBackupOutcome&)> keep = {};
    // Before the objects go, so that no row ever promises what is gone. `stored`: the bases that destinations hold.
    std::function<Result<>(const BaseBackupOutcome&, const wal::Disposal&, const std::vector<std::string>& stored)>
        forget = {};
    // Why nothing may go now, for people; "": it may.
    std::function<Result<std::string>(const std::string& archive)> hindrance = {};
};

// A base backup in its steps (design.md 7). An error means that no destination holds a complete one.
Result<BaseBackupOutcome> run_base_backup(const BaseBackupOrder& order, const JobHost& host, Steps& steps,
                                          const ArchiveMemory& memory = {});

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

// Writes a note durably before it returns (as StepJournal::noted): an empty value removes it.
using NoteWriter = std::function<Result<>(const std::string& key, const std::string& value)>;

// A copy that its job finished and could not tell of.
struct FoundCopy {
    std::string folder;
    std::string destination_id;
};

struct Swept {
    std::vector<std::string> done;  // what was done, and what could not be done yet, for the log and people
    bool clean = true;              // false: notes stay, sweep again later
    // A restore that had swapped its pair in and died before it said so: what is live was proven as the restore itself
    // would have, and committed.
    bool completed = false;
    // The same, but what was live could not be proven, so the previous pair was put back: why.
    std::optional<Error> reverted;
    std::vector<FoundCopy> copies;
    std::vector<StepRecord> steps;  // of a completed or reverted restore: what was done in the restore's stead
};

// Clean-up by the notes that a job left when it died, or ended with something left to do: settles a swap so that the
// old pair or the proven new one stands, drops scratch databases and folders, removes uncommitted objects, starts a
// stopped Odoo. `note` gets the notes that are done away with or changed. Idempotent; an error means that notes stay.
Result<Swept> sweep_after_crash(const Facts& notes, const JobHost& host, const NoteWriter& note);

// By the notes: something below `folder` is still to be swept, and must not be while a job writes there.
bool has_leftovers_below(const Facts& notes, const std::string& folder);

// By the notes of a backup: a copy has made these destinations whole since, so nothing there is to be swept any more.
Result<> forget_leftovers(const Facts& notes, const std::vector<DestinationOrder>& whole, const NoteWriter& note);

// The instant way back: puts the pair kept by a restore in place again. `notes` are those of the restore, which its
// journal keeps. The pair that it replaces is kept in turn, until drop_previous. An error means that Odoo runs again on
// one whole pair, or says why it does not; what is left to do then stands in the notes of `steps`, for the sweep.
Result<> undo_restore(const std::string& restore_id, const Facts& notes, const JobHost& host, Steps& steps);

// Until when a restore keeps the pair that it replaced; nullopt: it keeps none, or what replaced it is not proven yet.
// Afterwards whoever holds the notes
// calls drop_previous (idempotent) and forgets them.
std::optional<TimeMs> previous_kept_until(const Facts& notes);
Result<> drop_previous(const Facts& notes, const JobHost& host);

}  // namespace backstay
