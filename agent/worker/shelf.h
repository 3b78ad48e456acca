// The shelf of snapshots, kept in the agent's state.
#pragma once

#include <string>

#include "agent/jobs/snapshot/shelf.h"
#include "agent/state/snapshots.h"

namespace backstay {

class StateShelf final : public snapshot::Shelf {
public:
    // `origin` of the jobs that it serves (agent/state/jobs.h).
    StateShelf(sqlite::Database& database, const Clock& clock, std::string origin)
        : snapshots_(database), clock_(clock), origin_(std::move(origin)) {}

    Result<std::optional<snapshot::Base>> newest_full(const std::string& environment) override;
    Result<std::unique_ptr<snapshot::BaseNames>> names(const std::string& snapshot_id) override;
    Result<> begin(const SnapshotOrder& order, const std::string& folder) override;
    Result<> lean_on(const std::string& snapshot_id, const std::string& base_id) override;
    Result<> complete(const std::string& snapshot_id, const BackupOutcome& outcome,
                      const std::string& names_file) override;
    Result<> held_by(const std::string& snapshot_id, const std::vector<std::string>& destination_ids) override;
    Result<> begin_deletion(const std::string& snapshot_id) override;
    Result<> forget(const std::string& snapshot_id) override;

private:
    SnapshotRepository snapshots_;
    const Clock& clock_;
    std::string origin_;
};

}  // namespace backstay
