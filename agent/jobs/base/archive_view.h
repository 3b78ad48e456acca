// A cluster's archive as coverage and retention see it, read from destinations alone: names of objects, manifests of
// base backups, and the commit times of the few segments that matter.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/jobs/base/wal_map.h"
#include "agent/jobs/jobs.h"
#include "agent/wal/archive.h"
#include "common/crypto/secretstream.h"
#include "common/domain/wal_coverage.h"

namespace backstay::base {

// The archive at one destination, opened for one thread.
struct ArchivePlace {
    std::string destination_id;
    std::unique_ptr<Storage> storage;
    wal::Archive archive;
};

// The archive at several destinations, best first. One thread at a time.
class ArchivePlaces {
public:
    // Those that cannot be opened are left out and told of in faults(); none at all is an error. `key` may be nullptr
    // and outlives it.
    static Result<ArchivePlaces> open(const std::vector<DestinationOrder>& destinations, const std::string& folder,
                                      const StreamKey* key, const JobHost& host, std::stop_token stop);

    const std::string& folder() const { return folder_; }
    std::vector<std::unique_ptr<ArchivePlace>>& list() { return places_; }
    const std::vector<std::string>& faults() const { return faults_; }
    const std::stop_token& stop() const { return stop_; }

    // Writes the file of that name to `path`, from the first place that has it whole. not_found only when every place
    // was asked and none has it; on an error the caller removes what was begun.
    Result<> get(const std::string& name, const std::string& path);
    Result<wal::ObjectHead> head(const std::string& name);

private:
    std::string folder_;
    std::stop_token stop_;
    std::vector<std::unique_ptr<ArchivePlace>> places_;
    std::vector<std::string> faults_;
};

struct StoredBase {
    std::string folder;
    Manifest manifest;
    std::vector<std::string> destination_ids;
};

struct ArchiveView {
    std::string archive;  // folder
    wal::Holdings whole;  // all destinations together
    std::vector<StoredBase> bases;
    std::map<SegmentId, std::vector<std::size_t>> segments;  // → numbers of the places that hold it
    std::uint64_t wal_bytes = 0;                             // stored, at all places together
    std::vector<std::string> faults;                         // what could not be read, for people

    const StoredBase* find(const std::string& backup_id) const;
};

// A place that cannot be listed is a fault; none that can is an error. Reads the beginning of the last segment of each
// run to date it.
Result<ArchiveView> view_archive(ArchivePlaces& places);

// Folders of clusters ("v1/<org>/clusters/<systemId>") in a destination.
Result<std::vector<std::string>> find_archives(Storage& storage, const std::stop_token& stop);

}  // namespace backstay::base
