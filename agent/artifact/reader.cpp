#include "agent/artifact/reader.h"

#include <fmt/format.h>

#include "common/domain/reasons.h"

namespace backstay {
namespace {

Result<> check_key(const ManifestArtifact& artifact, const std::optional<StreamKey>& key) {
    const std::string wanted = key_id_of(artifact);
    if (!key) {
        return Error(Errc::denied,
                     fmt::format("{} is encrypted under key {}, and this host has no key file", artifact.path, wanted))
            .with_reason(reason::kEncryptionKeyMissing)
            .with_hint("name the organization's key in encryption_key_file");
    }
    if (key->id() != wanted) {
        return Error(Errc::denied, fmt::format("{} is encrypted under key {}, not under this host's {}", artifact.path,
                                               wanted, key->id()))
            .with_reason(reason::kEncryptionKeyMissing);
    }
    return {};
}

}  // namespace

std::string key_id_of(const ManifestArtifact& artifact) {
    const std::string& text = artifact.encryption ? *artifact.encryption : std::string();
    const std::size_t colon = text.rfind(':');
    return colon == std::string::npos ? text : text.substr(colon + 1);
}

Result<std::unique_ptr<ArtifactReader>> ArtifactReader::open(std::vector<ArtifactOrigin> origins,
                                                             const std::string& folder,
                                                             const ManifestArtifact& artifact,
                                                             const std::optional<StreamKey>& key,
                                                             OnStoredBytes on_bytes) {
    if (artifact.encryption) TRY(check_key(artifact, key));
    if (artifact.codec != "zstd") {
        return Error(Errc::corrupted, fmt::format("{} has the unknown codec '{}'", artifact.path, artifact.codec))
            .with_reason(reason::kStructureInvalid);
    }
    std::unique_ptr<ArtifactReader> reader(new ArtifactReader);
    reader->fetched_ = std::make_unique<FetchingSource>(std::move(origins), folder, artifact, std::move(on_bytes));
    Source* stored = reader->fetched_.get();
    if (artifact.encryption) {
        reader->decrypted_ = std::make_unique<DecryptingSource>(*key, *stored);
        stored = reader->decrypted_.get();
    }
    reader->decompressed_ = std::make_unique<ZstdSource>(*stored);
    reader->ahead_ = std::make_unique<ReadAhead>(*reader->decompressed_);
    return reader;
}

Result<std::size_t> ArtifactReader::read(MutableByteSpan buffer) {
    auto count = ahead_->read(buffer);
    if (count) {
        plain_bytes_ += *count;
        return count;
    }
    if (count.error().code() == Errc::corrupted && count.error().reason() != reason::kChecksumMismatch) {
        // The stage ahead has ended, so the stored bytes are ours to read to their end: were they damaged, or made so?
        TRY(fetched_->drain());
    }
    return count;
}

Result<> check_stored(const ArtifactOrigin& origin, const std::string& folder, const ManifestArtifact& artifact,
                      const OnStoredBytes& on_bytes) {
    return FetchingSource({origin}, folder, artifact, on_bytes).drain();
}

}  // namespace backstay
