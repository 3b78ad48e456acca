// The stored bytes of one artifact, fetched on a thread of its own and digested on the way. The quiet 0 at the end
// comes only when size and SHA-256 are what the manifest says; until then nothing that was read may be taken for the
// whole. A destination that breaks off is left and the next one continues at the same byte.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "agent/artifact/byte_queue.h"
#include "common/bytes.h"
#include "common/domain/manifest.h"
#include "storage/storage.h"

namespace backstay {

// A destination that holds the backup. The storage outlives its use and is used by one thread at a time.
struct ArtifactOrigin {
    std::string destination_id;
    Storage* storage = nullptr;
};

// Called with the number of stored bytes that arrived, on the fetching thread.
using OnStoredBytes = std::function<void(std::uint64_t)>;

class FetchingSource final : public Source {
public:
    // `folder` is the backup's; `origins` best first, at least one.
    FetchingSource(std::vector<ArtifactOrigin> origins, std::string folder, ManifestArtifact artifact,
                   OnStoredBytes on_bytes);
    ~FetchingSource() override;

    // Errors: corrupted with reason checksum_mismatch; what the last destination answered otherwise.
    Result<std::size_t> read(MutableByteSpan buffer) override;
    // Reads what is left and answers how the whole was.
    Result<> drain();

private:
    Result<> fetch();

    std::vector<ArtifactOrigin> origins_;
    std::string folder_;
    ManifestArtifact artifact_;
    OnStoredBytes on_bytes_;
    ByteQueue queue_{16};
    std::jthread thread_;
};

}  // namespace backstay
