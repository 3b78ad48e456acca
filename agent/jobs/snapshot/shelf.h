// The snapshots that lie on this host, as the jobs about them need to know them. The daemon keeps them in its state.
// One thread at a time; every change is on disk when its call returns.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/jobs/jobs.h"
#include "common/domain/orders.h"
#include "common/result.h"

namespace backstay::snapshot {

struct Base {
    std::string snapshot_id;
    std::string folder;
    Timestamp completed_at;
    std::uint64_t database_bytes = 0;  // as its dump is stored
};

// The names of a full one's sound files, in byte order, each once.
class BaseNames {
public:
    virtual ~BaseNames() = default;
    // nullopt: the end. The view lives until the next call.
    virtual Result<std::optional<std::string_view>> next() = 0;
};

class Shelf {
public:
    virtual ~Shelf() = default;

    // Of that environment ("v1/<org>/<project>/<env>"); nullopt: none is complete.
    virtual Result<std::optional<Base>> newest_full(const std::string& environment) = 0;
    // Goes before the shelf.
    virtual Result<std::unique_ptr<BaseNames>> names(const std::string& snapshot_id) = 0;

    // A snapshot is being taken. conflict: it lies there already, and others need it.
    virtual Result<> begin(const SnapshotOrder& order, const std::string& folder) = 0;
    // It will be a differential against that one, which therefore stays. not_found: that one is going or gone.
    virtual Result<> lean_on(const std::string& snapshot_id, const std::string& base_id) = 0;
    // It is whole. `names_file` (a full one's): sound files, one name a line, in byte order.
    virtual Result<> complete(const std::string& snapshot_id, const BackupOutcome& outcome,
                              const std::string& names_file) = 0;
    // These hold a whole copy, too.
    virtual Result<> held_by(const std::string& snapshot_id, const std::vector<std::string>& destination_ids) = 0;

    // It is going: nobody may lean on it any more. conflict: somebody does (the message names them). Unknown is
    // success.
    virtual Result<> begin_deletion(const std::string& snapshot_id) = 0;
    virtual Result<> forget(const std::string& snapshot_id) = 0;
};

}  // namespace backstay::snapshot
