#include "agent/artifact/fetching_source.h"

#include <fmt/format.h>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace {

Error mismatch(const ManifestArtifact& artifact, std::string_view what) {
    return Error(Errc::corrupted, fmt::format("{} is damaged: {}", artifact.path, what))
        .with_reason(reason::kChecksumMismatch);
}

class QueueSink final : public Sink {
public:
    QueueSink(ByteQueue& queue, const ManifestArtifact& artifact, const OnStoredBytes& on_bytes)
        : queue_(queue), artifact_(artifact), on_bytes_(on_bytes) {}

    Result<> write(ByteSpan bytes) override {
        if (bytes.size() > artifact_.bytes - total_) {
            return mismatch(artifact_, fmt::format("it is longer than {} bytes", artifact_.bytes));
        }
        digest_.update(bytes);
        total_ += bytes.size();
        if (on_bytes_) on_bytes_(bytes.size());
        return queue_.push(bytes);
    }

    std::uint64_t total() const { return total_; }
    Result<> check() {
        if (total_ != artifact_.bytes) {
            return mismatch(artifact_, fmt::format("it ends after {} of {} bytes", total_, artifact_.bytes));
        }
        if (digest_.hex() != artifact_.sha256) return mismatch(artifact_, "its SHA-256 is not the manifest's");
        return {};
    }

private:
    ByteQueue& queue_;
    const ManifestArtifact& artifact_;
    const OnStoredBytes& on_bytes_;
    Digest digest_{DigestKind::sha256};
    std::uint64_t total_ = 0;
};

bool worth_another_destination(const Error& error) {
    return error.code() != Errc::cancelled && error.reason() != reason::kChecksumMismatch;
}

}  // namespace

FetchingSource::FetchingSource(std::vector<ArtifactOrigin> origins, std::string folder, ManifestArtifact artifact,
                               OnStoredBytes on_bytes)
    : origins_(std::move(origins)),
      folder_(std::move(folder)),
      artifact_(std::move(artifact)),
      on_bytes_(std::move(on_bytes)) {
    thread_ = std::jthread([this] {
        auto fetched = fetch();
        queue_.close(fetched ? std::nullopt : std::optional<Error>(fetched.error()));
    });
}

FetchingSource::~FetchingSource() { queue_.abandon(); }

Result<> FetchingSource::fetch() {
    const std::string key = fmt::format("{}/{}", folder_, artifact_.path);
    QueueSink sink(queue_, artifact_, on_bytes_);
    std::optional<Error> last;
    for (const ArtifactOrigin& origin : origins_) {
        if (sink.total() == artifact_.bytes && artifact_.bytes > 0) break;
        auto got = origin.storage->get(key, ByteRange{sink.total(), 0}, sink);
        if (got) return sink.check();
        if (!worth_another_destination(got.error())) return got;
        log::warning("destination left while fetching",
                     {{"destination", origin.destination_id}, {"key", key}, {"error", got.error().message()}});
        last = std::move(got).error();
    }
    if (sink.total() == artifact_.bytes) return sink.check();
    if (!last) return Error(Errc::invalid, "no destination to fetch from").with_reason(reason::kNoDestination);
    return std::move(*last);
}

Result<std::size_t> FetchingSource::read(MutableByteSpan buffer) { return queue_.pop(buffer); }

Result<> FetchingSource::drain() {
    std::vector<std::byte> buffer(ByteQueue::kBlockBytes);
    while (TRY(read(buffer)) > 0) {
    }
    return {};
}

}  // namespace backstay
