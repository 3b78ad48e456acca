// Restoring with nothing but a destination: no daemon, no control plane, no catalogue. Backups are found by their
// manifests; notes for a crash are kept in files below the state folder. Blocking; one thread at a time.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/jobs/jobs.h"
#include "common/files/files.h"

namespace backstay::standalone {

struct FoundBackup {
    std::string folder;
    Manifest manifest;
    std::uint64_t stored_bytes = 0;
};

struct Listing {
    std::vector<FoundBackup> backups;  // newest first
    std::vector<std::string> faults;   // "<folder>: why its manifest cannot be read"
};

struct Filter {
    std::string backup_id;  // "": any
    std::string database;   // its name at the source, or the environment's name or id; "": any
};

// Reads every manifest of the destination; a folder without one is no backup.
Result<Listing> find_backups(const DestinationOrder& destination, const JobHost& host, const Filter& filter,
                             std::stop_token stop);

struct RestoreWish {
    std::string database;                  // where to
    std::optional<std::string> filestore;  // its folder; absent: as the configuration says
    std::string scope = "all";             // all, db, filestore
    bool neutralize = false;
    bool new_uuid = false;
    std::int64_t keep_previous_ms = 24LL * 3600 * 1000;
    std::optional<std::string> cluster;
};
RestoreOrder order_for(const FoundBackup& backup, const DestinationOrder& destination, const RestoreWish& wish);

// Shows steps to somebody and keeps the notes of one restore in a file: <state_dir>/restores/<restore id>.json. The
// file is locked while the restore runs, and stays while the previous pair is kept.
class FileJournal final : public StepJournal {
public:
    using OnStep = std::function<void(const StepRecord&)>;
    static Result<std::unique_ptr<FileJournal>> open(const JobHost& host, const std::string& restore_id,
                                                     OnStep on_step);

    Result<> planned(const OperationPlan& plan) override;
    Result<> recorded(const StepRecord& step) override;
    Result<> copied(const CopyRecord& copy) override;
    Result<> noted(const std::string& key, const std::string& value) override;

    // What it has seen, for the verdict.
    const OperationPlan& plan() const { return plan_; }
    std::vector<StepRecord> steps() const;
    std::vector<CopyRecord> copies() const;

private:
    FileJournal(FileLock lock, std::string path, OnStep on_step)
        : lock_(std::move(lock)), path_(std::move(path)), on_step_(std::move(on_step)) {}

    mutable std::mutex mutex_;
    FileLock lock_;
    std::string path_;
    OnStep on_step_;
    OperationPlan plan_;
    std::vector<StepRecord> steps_;
    std::vector<CopyRecord> copies_;
    Facts notes_;
};

// The notes of a finished restore that still keeps its previous pair, for undo_restore. not_found.
Result<Facts> kept_notes(const JobHost& host, const std::string& restore_id);

// Cleans up after restores that died, and removes pairs whose time has passed. Answers what it did.
Result<std::vector<std::string>> sweep(const JobHost& host);

}  // namespace backstay::standalone
