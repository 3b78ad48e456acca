// An artifact as its plain content: fetched, digested, decrypted where it is encrypted, decompressed; each stage that
// costs on a thread of its own, in bounded memory (about 12 MiB). The quiet 0 at the end comes only when the stored
// bytes were the manifest's and every stage accepted its end: whoever reads must not count on anything before.
#pragma once

#include <memory>
#include <optional>

#include "agent/artifact/fetching_source.h"
#include "agent/artifact/read_ahead.h"
#include "agent/artifact/zstd_source.h"
#include "common/crypto/secretstream.h"

namespace backstay {

class ArtifactReader final : public Source {
public:
    // `key` is needed for an encrypted artifact: encryption_key_missing when it is absent or another one.
    // One destination that is damaged spoils the stream; the caller then begins anew with the others.
    static Result<std::unique_ptr<ArtifactReader>> open(std::vector<ArtifactOrigin> origins, const std::string& folder,
                                                        const ManifestArtifact& artifact,
                                                        const std::optional<StreamKey>& key,
                                                        OnStoredBytes on_bytes = {});

    // Damage of the stored bytes is checksum_mismatch, whichever stage stumbled over it first.
    Result<std::size_t> read(MutableByteSpan buffer) override;
    std::uint64_t plain_bytes() const { return plain_bytes_; }

private:
    ArtifactReader() = default;

    // Later members read from earlier ones, so they go first.
    std::unique_ptr<FetchingSource> fetched_;
    std::unique_ptr<DecryptingSource> decrypted_;
    std::unique_ptr<ZstdSource> decompressed_;
    std::unique_ptr<ReadAhead> ahead_;
    std::uint64_t plain_bytes_ = 0;
};

// Reads the whole stored object without looking inside: size and SHA-256 against the manifest.
Result<> check_stored(const ArtifactOrigin& origin, const std::string& folder, const ManifestArtifact& artifact,
                      const OnStoredBytes& on_bytes = {});

// The key id of "secretstream-xchacha20poly1305:<key id>".
std::string key_id_of(const ManifestArtifact& artifact);

}  // namespace backstay
