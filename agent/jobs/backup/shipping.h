// How artifacts leave: each is streamed to every destination at once, and read back by its checksum as soon as a
// destination has taken it. A destination that fails is left behind, the others go on. Artifacts may be stored from
// several threads at once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/artifact/artifact_stream.h"
#include "agent/artifact/compression_pool.h"
#include "agent/evidence/steps.h"
#include "agent/jobs/backup/place.h"
#include "common/domain/manifest.h"

namespace backstay::backup {

struct ArtifactPlan {
    std::string name;                  // "db", "filestore" …
    std::string file;                  // inside the backup's folder
    std::uint64_t expected_bytes = 0;  // before compression, a guess; 0: unknown
};

class Shipping {
public:
    // `key`: null when nothing is encrypted. All outlive it.
    Shipping(std::vector<std::unique_ptr<Place>>& places, std::string folder, const StreamKey* key, Steps& steps,
             const Limits& limits);
    // Waits for every transfer.
    ~Shipping();

    // Runs `produce` on the calling thread; what it writes is the artifact. When it returns, everything has been made
    // and digested, and transfers and their read-back go on by themselves until wait().
    using Produce = std::function<Result<>(ArtifactStream& stream)>;
    Result<ManifestArtifact> store(const ArtifactPlan& plan, const Produce& produce);

    // All transfers of all artifacts have ended, well or badly: Place::failure() says how.
    void wait();

    // Puts the manifest into one destination, reads it back, and so commits the backup there.
    Result<> commit(Place& place, const std::string& manifest);

    // Removes what was put into a destination, manifest first. Best effort, also after a stop.
    Result<> withdraw(Place& place, const std::string& why);

    const std::string& folder() const { return folder_; }
    const Priority& priority() const { return priority_; }

private:
    class Transfer;

    Result<> record(const Place& place, const std::string& artifact, CopyState state, const ManifestArtifact& stored,
                    const Error* error);

    std::vector<std::unique_ptr<Place>>& places_;
    std::string folder_;
    const StreamKey* key_;
    Steps& steps_;
    Priority priority_;
    std::int32_t level_;
    CompressionPool pool_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Transfer>> transfers_;
    std::vector<ManifestArtifact> artifacts_;  // what was begun
};

// The failure that explains best why no destination is left.
Error all_failed(const std::vector<std::unique_ptr<Place>>& places);

}  // namespace backstay::backup
