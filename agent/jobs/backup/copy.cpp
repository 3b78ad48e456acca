// Copying a backup from destinations that hold it to those that lack it: artifacts one by one, manifest last.
#include <fmt/format.h>

#include <thread>

#include "agent/artifact/fan_out.h"
#include "agent/jobs/destinations.h"
#include "agent/jobs/jobs.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay {
namespace {

constexpr std::size_t kManifestMax = 16 << 20;
constexpr std::size_t kBufferBytes = 8 << 20;

struct Origin {
    std::unique_ptr<Storage> storage;
    std::string id;
};

struct Found {
    Manifest manifest;
    std::string text;
};

Result<Found> read_found(Storage& storage, const CopyOrder& order) {
    StringSink sink(kManifestMax);
    TRY(storage.get(order.folder + "/manifest.json", {}, sink));
    Found found;
    found.text = sink.take();
    found.manifest = TRY(read_manifest(found.text));
    if (found.manifest.backup_id != order.backup_id) {
        return Error(Errc::corrupted, "the manifest there is another backup's").with_reason(reason::kStructureInvalid);
    }
    return found;
}

// Hands on what it gets; the digest is compared before the reader may see an end.
class Relay final : public Sink {
public:
    explicit Relay(FanOut& to) : to_(to) {}
    Result<> write(ByteSpan bytes) override {
        digest_.update(bytes);
        bytes_ += bytes.size();
        Buffer chunk(bytes.size());
        chunk.append(bytes);
        return to_.push(std::move(chunk));
    }
    void close(const ManifestArtifact& artifact, Result<> fetched) {
        if (fetched && (bytes_ != artifact.bytes || digest_.hex() != artifact.sha256)) {
            fetched = Error(Errc::corrupted, artifact.path + " does not have the manifest's SHA-256 there")
                          .with_reason(reason::kChecksumMismatch);
        }
        to_.close(fetched ? std::nullopt : std::optional(std::move(fetched).error()));
    }

private:
    FanOut& to_;
    Digest digest_{DigestKind::sha256};
    std::uint64_t bytes_ = 0;
};

Result<> transfer(Storage& from, Storage& to, const std::string& key, const ManifestArtifact& artifact) {
    FanOut queue(1, kBufferBytes, 0);
    std::thread fetching([&]() noexcept {
        Relay relay(queue);
        Result<> fetched = from.get(key, {}, relay);
        relay.close(artifact, std::move(fetched));
    });
    Result<ObjectInfo> put = [&] {
        FanOutSource source(queue, 0);
        PutOptions options;
        options.expected_bytes = artifact.bytes;
        return to.put(key, source, options);
    }();
    fetching.join();
    if (!put) return std::move(put).error();
    if (put->sha256 == artifact.sha256) return {};
    DigestSink sink(DigestKind::sha256);
    TRY(to.get(key, {}, sink).context("read back"));
    if (sink.hex() == artifact.sha256) return {};
    return Error(Errc::corrupted, key + " came back with another SHA-256").with_reason(reason::kRemoteCorrupt);
}

class Copying {
public:
    Copying(const CopyOrder& order, const JobHost& host, Steps& steps) : order_(order), host_(host), steps_(steps) {}

    Result<> all() {
        TRY(find_origins());
        std::optional<Error> first;
        for (const DestinationOrder& destination : order_.to) {
            Result<> copied = copy_to(destination);
            if (copied) continue;
            if (!first) {
                first = std::move(copied).error();
            } else {
                first->followed_by(copied.error());
            }
        }
        if (first) return *first;
        return {};
    }

private:
    Result<> find_origins() {
        std::optional<Error> last;
        for (const DestinationOrder& destination : order_.from) {
            auto storage = open_destination(destination, host_, steps_.stop_token());
            Result<Found> found = storage ? read_found(**storage, order_) : std::move(storage).error();
            if (!found) {
                last = found.error();
                continue;
            }
            if (origins_.empty()) found_ = std::move(*found);
            origins_.push_back({std::move(*storage), destination.id});
        }
        if (!origins_.empty()) return {};
        if (last) return std::move(*last).with_reason(reason::kRemoteMissing);
        return Error(Errc::invalid, "no destination to copy from").with_reason(reason::kNoDestination);
    }

    Result<> copy_to(const DestinationOrder& destination) {
        auto copied = copy_all(destination);
        if (copied) return {};
        Error error = std::move(copied).error();
        error.add_reason(reason::kDestinationUnreachable);
        ManifestArtifact manifest;
        manifest.name = artifact::kManifest;
        static_cast<void>(record(destination, manifest, CopyState::failed, &error));
        error.add_context("copy to " + destination.name);
        return error;
    }

    Result<> copy_all(const DestinationOrder& destination) {
        const auto to = TRY(open_destination(destination, host_, steps_.stop_token()));
        // What lies there without a manifest is a failed attempt's; with one, single artifacts may be damaged.
        for (const ManifestArtifact& artifact : found_.manifest.artifacts) {
            Result<> copied = copy_artifact(destination, *to, artifact);
            if (copied) continue;
            static_cast<void>(record(destination, artifact, CopyState::failed, &copied.error()));
            return copied;
        }
        ManifestArtifact manifest;
        manifest.name = artifact::kManifest;
        manifest.path = "manifest.json";
        manifest.bytes = found_.text.size();
        manifest.sha256 = digest_hex(DigestKind::sha256, as_bytes(found_.text));
        StringSource source(found_.text);
        TRY(to->put(order_.folder + "/manifest.json", source, {manifest.bytes, "application/json"}));
        TRY(read_found(*to, order_).context("read back"));
        return record(destination, manifest, CopyState::verified, nullptr);
    }

    Result<> copy_artifact(const DestinationOrder& destination, Storage& to, const ManifestArtifact& artifact) {
        const std::string key = fmt::format("{}/{}", order_.folder, artifact.path);
        if (is_there(to, key, artifact)) return record(destination, artifact, CopyState::verified, nullptr);
        TRY(to.remove(key));
        TRY(record(destination, artifact, CopyState::uploading, nullptr));
        std::optional<Error> last;
        for (const Origin& origin : origins_) {
            Result<> done = transfer(*origin.storage, to, key, artifact);
            if (done) return record(destination, artifact, CopyState::verified, nullptr);
            last = std::move(done).error();
            TRY(to.remove(key));
            // Only damage at the origin is worth another origin.
            if (last->reason() != reason::kChecksumMismatch && last->code() != Errc::not_found) break;
        }
        return *last;
    }

    static bool is_there(Storage& to, const std::string& key, const ManifestArtifact& artifact) {
        const Result<ObjectInfo> info = to.stat(key);
        if (!info || info->size_bytes != artifact.bytes) return false;
        if (!info->sha256.empty()) return info->sha256 == artifact.sha256;
        DigestSink sink(DigestKind::sha256);
        return to.get(key, {}, sink).has_value() && sink.hex() == artifact.sha256;
    }

    Result<> record(const DestinationOrder& destination, const ManifestArtifact& artifact, CopyState state,
                    const Error* error) {
        CopyRecord copy;
        copy.destination_id = destination.id;
        copy.artifact = artifact.name;
        copy.state = state;
        copy.key = artifact.path.empty() ? "" : fmt::format("{}/{}", order_.folder, artifact.path);
        copy.sha256 = artifact.sha256;
        copy.size_bytes = artifact.bytes;
        if (error != nullptr) {
            copy.message = error->message();
            copy.reason = error->reason();
        }
        return steps_.copied(copy);
    }

    const CopyOrder& order_;
    const JobHost& host_;
    Steps& steps_;
    std::vector<Origin> origins_;
    Found found_;
};

}  // namespace

Result<> run_copy(const CopyOrder& order, const JobHost& host, Steps& steps) {
    return Copying(order, host, steps).all();
}

}  // namespace backstay
