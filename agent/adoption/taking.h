// One folder after the other: whose it is, whether it is whole, and the row that it becomes. Inside of agent/adoption.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/adoption/adoption.h"
#include "agent/adoption/survey.h"
#include "agent/state/backups.h"
#include "agent/state/snapshots.h"
#include "agent/state/wal.h"
#include "common/domain/manifest.h"
#include "storage/storage.h"

namespace backstay::adoption {

// An error about a snapshot whose base is not known (yet) carries it.
inline constexpr std::string_view kBaseFact = "base_snapshot_id";

class Taking {
public:
    Taking(const AdoptionParts& parts, const AdoptionRequest& request, AdoptionReport& report);

    // Who this agent is and was: what those made is its own.
    Result<> know_oneself();
    // `place` is kHostPlace for the host's own folder of snapshots.
    Result<> take(Storage& storage, const std::string& place, const FoundFolder& folder);

private:
    Result<> take_backup(Storage& storage, const std::string& place, const FoundFolder& folder);
    Result<> take_base(Storage& storage, const std::string& place, const FoundFolder& folder);
    Result<> take_snapshot(Storage& storage, const FoundFolder& folder);
    Result<> take_copy_of_snapshot(Storage& storage, const std::string& place, const FoundFolder& folder);
    // nullopt: damaged, not whole, or another's; it was told of then.
    Result<std::optional<Manifest>> read_own(Storage& storage, const FoundFolder& folder);
    bool is_own(const Manifest& manifest);
    void fault(const FoundFolder& folder, const std::string& what);
    void foreign(const Manifest& manifest);
    // The first time that it is met.
    bool count(std::uint64_t& counter, AdoptedItem item);
    std::string cluster_of(const Manifest& manifest) const;
    Result<> put_base(const WalBase& row, const Manifest& manifest);

    const AdoptionParts& parts_;
    const AdoptionRequest& request_;
    AdoptionReport& report_;
    BackupRepository backups_;
    SnapshotRepository snapshots_;
    WalRepository archive_;
    std::set<std::string> own_;  // agents' ids
    std::map<std::string, std::string> clusters_;
    std::set<std::string> met_;  // ids, when nothing is written
};

}  // namespace backstay::adoption
