#include "agent/jobs/backup/shipping.h"

#include <fmt/format.h>

#include "agent/jobs/destinations.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay::backup {
namespace {

constexpr std::size_t kFanOutBytes = 8 << 20;
constexpr std::int64_t kPatienceMs = 5 * 60 * 1000;  // longer than a storage's own retries take
// A guess of the stored size for local disks, low on purpose: it must never refuse a backup that fits.
constexpr std::uint64_t kLowestRatio = 10;

Error corrupt(std::string message) {
    return Error(Errc::corrupted, std::move(message)).with_reason(reason::kRemoteCorrupt);
}

// What a text will be once stored as it is.
StoredBytes stored_text(const std::string& text) {
    StoredBytes stored{
        text.size(), text.size(), digest_hex(DigestKind::sha256, as_bytes(text)), FingerprintKey::random(), {}};
    Fingerprint fingerprint(stored.key);
    fingerprint.update(as_bytes(text));
    stored.fingerprint = fingerprint.value();
    return stored;
}

// Proof of what the store holds: its own SHA-256 where it keeps one, else every byte read again and held against the
// fingerprint of what was sent, which is as good as its SHA-256 for this and spares the CPU most of the work.
Result<> read_back(Storage& storage, const std::string& key, const ObjectInfo& info, const StoredBytes& stored) {
    if (info.size_bytes != stored.bytes) {
        return corrupt(fmt::format("'{}' has {} bytes there, {} were sent", key, info.size_bytes, stored.bytes));
    }
    if (!info.sha256.empty()) {
        if (info.sha256 == stored.sha256) return {};
        return corrupt(fmt::format("'{}' has another SHA-256 there", key));
    }
    FingerprintSink sink(stored.key);
    TRY(storage.get(key, {}, sink).context("read back"));
    if (sink.value() == stored.fingerprint) return {};
    return corrupt(fmt::format("'{}' came back with other bytes", key));
}

Error stopped_or(const Error& error) {
    if (error.code() == Errc::cancelled) return Error(error).with_reason(reason::kCancelled);
    return Error(error).with_reason(reason::kDestinationUnreachable);
}

}  // namespace

// One artifact on its way to all destinations, one thread each.
class Shipping::Transfer {
public:
    Transfer(Shipping& shipping, ArtifactPlan plan)
        : shipping_(shipping),
          plan_(std::move(plan)),
          fan_out_(shipping.places_.size(), kFanOutBytes, kPatienceMs,
                   [&pool = shipping.pool_](Buffer room) { pool.give_room(std::move(room)); }),
          stream_(std::make_unique<ArtifactStream>(shipping.pool_, shipping.level_, fan_out_, shipping.key_,
                                                   shipping.priority_)) {}

    ~Transfer() { wait(); }

    void start() {
        for (std::size_t i = 0; i < shipping_.places_.size(); ++i) {
            if (shipping_.places_[i]->failure()) {
                fan_out_.leave(i);
                continue;
            }
            threads_.emplace_back([this, i]() noexcept {
                lower_priority(shipping_.priority_);
                carry(i);
            });
        }
    }

    ArtifactStream& stream() { return *stream_; }
    // Its blocks are no longer needed; the readers take what is left from the fan-out.
    void produced() {
        stored_ = stream_->stored();
        stream_.reset();
    }
    void abort(const Error& error) {
        deserted_ = fan_out_.deserted();
        aborted_ = !deserted_;
        stream_->abort(error);
    }
    bool deserted() const { return deserted_; }
    void wait() {
        for (std::thread& thread : threads_) {
            if (thread.joinable()) thread.join();
        }
    }
    const StoredBytes& stored() const { return stored_; }

private:
    void carry(std::size_t number) {
        Place& place = *shipping_.places_[number];
        // Another artifact's failure with this destination, or the job's end, must not leave the stream waiting for us.
        const std::stop_callback on_stop(place.stop_token(), [this, number] { fan_out_.leave(number); });
        Result<> carried = put_and_read_back(place, number);
        fan_out_.leave(number);
        if (carried) return;
        Error error = stopped_or(carried.error());
        const bool bad_content = error.reason() == reason::kRemoteCorrupt;
        const ManifestArtifact stored = about();
        static_cast<void>(
            shipping_.record(place, plan_.name, bad_content ? CopyState::corrupt : CopyState::failed, stored, &error));
        // A stream that broke at its source is not the destination's fault.
        if (!aborted_) place.fail(error);
    }

    Result<> put_and_read_back(Place& place, std::size_t number) {
        place.touch();
        TRY(shipping_.record(place, plan_.name, CopyState::uploading, {}, nullptr));
        const std::string key = fmt::format("{}/{}", shipping_.folder_, plan_.file);
        const std::unique_ptr<Storage> storage = TRY(place.open());
        PutOptions options;
        options.expected_bytes = place.is_local() ? plan_.expected_bytes / kLowestRatio : plan_.expected_bytes;
        FanOutSource source(fan_out_, number);
        const ObjectInfo info = TRY(storage->put(key, source, options));
        // The source saw the end, so the stream had been finished and its digest is known.
        sealed_.wait(false);
        const ManifestArtifact stored = about();
        TRY(shipping_.record(place, plan_.name, CopyState::uploaded, stored, nullptr));
        TRY(read_back(*storage, key, info, stored_));
        return shipping_.record(place, plan_.name, CopyState::verified, stored, nullptr);
    }

    ManifestArtifact about() const {
        ManifestArtifact artifact;
        artifact.name = plan_.name;
        artifact.path = plan_.file;
        if (!sealed_) return artifact;
        artifact.bytes = stored_.bytes;
        artifact.sha256 = stored_.sha256;
        return artifact;
    }

public:
    void seal() {
        sealed_ = true;
        sealed_.notify_all();
    }

private:
    Shipping& shipping_;
    ArtifactPlan plan_;
    FanOut fan_out_;
    std::unique_ptr<ArtifactStream> stream_;
    StoredBytes stored_;
    std::atomic<bool> sealed_ = false;
    std::atomic<bool> aborted_ = false;
    bool deserted_ = false;
    std::vector<std::thread> threads_;
};

Shipping::Shipping(std::vector<std::unique_ptr<Place>>& places, std::string folder, const StreamKey* key, Steps& steps,
                   const Limits& limits)
    : places_(places),
      folder_(std::move(folder)),
      key_(key),
      steps_(steps),
      priority_{limits.nice, limits.idle_io},
      level_(limits.zstd_level),
      pool_(limits.compression_threads, priority_) {}

Shipping::~Shipping() { wait(); }

Result<ManifestArtifact> Shipping::store(const ArtifactPlan& plan, const Produce& produce) {
    Transfer* transfer = nullptr;
    {
        const std::lock_guard lock(mutex_);
        transfers_.push_back(std::make_unique<Transfer>(*this, plan));
        transfer = transfers_.back().get();
        ManifestArtifact begun;
        begun.name = plan.name;
        begun.path = plan.file;
        artifacts_.push_back(begun);
    }
    transfer->start();
    Result<> made = produce(transfer->stream());
    if (made) made = transfer->stream().finish();
    if (!made) {
        transfer->abort(made.error());
        transfer->wait();
        // The stream only says that nobody takes it; the destinations know why.
        return transfer->deserted() ? all_failed(places_) : std::move(made).error();
    }
    transfer->produced();
    transfer->seal();
    ManifestArtifact artifact;
    artifact.name = plan.name;
    artifact.path = plan.file;
    artifact.bytes = transfer->stored().bytes;
    artifact.uncompressed_bytes = transfer->stored().plain_bytes;
    artifact.sha256 = transfer->stored().sha256;
    if (key_ != nullptr) artifact.encryption = "secretstream-xchacha20poly1305:" + key_->id();
    return artifact;
}

void Shipping::wait() {
    std::vector<Transfer*> all;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& transfer : transfers_) all.push_back(transfer.get());
    }
    for (Transfer* transfer : all) transfer->wait();
}

Result<> Shipping::record(const Place& place, const std::string& artifact, CopyState state,
                          const ManifestArtifact& stored, const Error* error) {
    CopyRecord copy;
    copy.destination_id = place.id();
    copy.artifact = artifact;
    copy.state = state;
    if (!stored.path.empty()) copy.key = fmt::format("{}/{}", folder_, stored.path);
    copy.sha256 = stored.sha256;
    copy.size_bytes = stored.bytes;
    if (error != nullptr) {
        copy.message = error->message();
        copy.reason = error->reason();
    }
    return steps_.copied(copy);
}

Result<> Shipping::commit(Place& place, const std::string& manifest) {
    ManifestArtifact about;
    about.name = artifact::kManifest;
    about.path = "manifest.json";
    const StoredBytes stored = stored_text(manifest);
    about.bytes = stored.bytes;
    about.sha256 = stored.sha256;
    const auto put = [&]() -> Result<> {
        TRY(record(place, about.name, CopyState::uploading, about, nullptr));
        const std::string key = folder_ + "/manifest.json";
        const std::unique_ptr<Storage> storage = TRY(place.open());
        StringSource source(manifest);
        PutOptions options;
        options.expected_bytes = manifest.size();
        options.content_type = "application/json";
        const ObjectInfo info = TRY(storage->put(key, source, options));
        TRY(record(place, about.name, CopyState::uploaded, about, nullptr));
        TRY(read_back(*storage, key, info, stored));
        return record(place, about.name, CopyState::verified, about, nullptr);
    };
    Result<> done = put();
    if (done) return {};
    Error error = stopped_or(done.error());
    const bool bad = error.reason() == reason::kRemoteCorrupt;
    static_cast<void>(record(place, about.name, bad ? CopyState::corrupt : CopyState::failed, about, &error));
    place.fail(error);
    return error;
}

Result<> Shipping::withdraw(Place& place, const std::string& why) {
    std::vector<ManifestArtifact> begun;
    {
        const std::lock_guard lock(mutex_);
        begun = artifacts_;
    }
    // Whether they can be removed or not, they are no copies any more.
    const Error error = place.failure().value_or(Error(Errc::cancelled, why).with_reason(reason::kRemoteCopyPartial));
    ManifestArtifact manifest;
    manifest.name = artifact::kManifest;
    begun.push_back(manifest);
    Result<> recorded;
    for (const ManifestArtifact& artifact : begun) {
        if (recorded) recorded = record(place, artifact.name, CopyState::failed, {}, &error);
    }
    const std::unique_ptr<Storage> storage = TRY(place.open_for_cleanup());
    TRY(remove_folder_objects(*storage, folder_).context("withdraw the backup from " + place.id()));
    return recorded;
}

Error all_failed(const std::vector<std::unique_ptr<Place>>& places) {
    std::optional<Error> first;
    for (const auto& place : places) {
        const std::optional<Error> failure = place->failure();
        if (!failure) continue;
        if (!first) {
            first = failure;
        } else {
            first->followed_by(*failure);
        }
    }
    if (first) return *first;
    return Error(Errc::unavailable, "no destination is left").with_reason(reason::kDestinationUnreachable);
}

}  // namespace backstay::backup
