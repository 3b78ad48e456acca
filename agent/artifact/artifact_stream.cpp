#include "agent/artifact/artifact_stream.h"

#include <algorithm>
#include <cstring>

#include "common/crypto/digest.h"

namespace backstay {

// Behind the encryption: small pieces are gathered, digested and pushed.
class ArtifactStream::Ending final : public Sink {
public:
    explicit Ending(FanOut& to) : to_(to) { stored_.key = key_; }

    Result<> write(ByteSpan bytes) override {
        note(bytes);
        gathered_.append(bytes);
        return gathered_.size() < kPushBytes ? Result<>() : push();
    }
    Result<> finish() override { return push(); }
    // A whole chunk, without gathering.
    Result<> pass(Buffer chunk) {
        note(chunk.bytes());
        return to_.push(std::move(chunk));
    }
    // Once, after finish().
    StoredBytes stored() {
        stored_.sha256 = digest_.hex();
        stored_.fingerprint = fingerprint_.value();
        return stored_;
    }

private:
    static constexpr std::size_t kPushBytes = 1 << 20;
    Result<> push() { return to_.push(std::move(gathered_)); }
    void note(ByteSpan bytes) {
        digest_.update(bytes);
        fingerprint_.update(bytes);
        stored_.bytes += bytes.size();
    }

    const FingerprintKey key_ = FingerprintKey::random();
    Fingerprint fingerprint_{key_};
    Digest digest_{DigestKind::sha256};
    StoredBytes stored_;
    FanOut& to_;
    Buffer gathered_;
};

ArtifactStream::ArtifactStream(CompressionPool& pool, std::int32_t level, FanOut& to, const StreamKey* key,
                               Priority priority)
    : pool_(pool),
      to_(to),
      key_(key),
      most_blocks_(pool.threads() + 2),
      level_(level),
      last_(std::make_unique<Ending>(to)) {
    if (key_ != nullptr) seal_ = std::make_unique<EncryptingSink>(*key_, *last_);
    emitter_ = std::thread([this, priority]() noexcept {
        lower_priority(priority);
        emit_all();
    });
}

ArtifactStream::~ArtifactStream() {
    if (!finished_) abort(Error(Errc::io, "the artifact was not written to its end"));
}

Result<MutableByteSpan> ArtifactStream::room() {
    if (!current_) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return error_ || !spare_.empty() || blocks_made_ < most_blocks_; });
        if (error_) return *error_;
        if (spare_.empty()) {
            ++blocks_made_;
            current_ = std::make_unique<CompressionBlock>();
        } else {
            current_ = std::move(spare_.back());
            spare_.pop_back();
        }
        current_->plain.clear();
    }
    return current_->plain.room();
}

Result<> ArtifactStream::took(std::size_t bytes) {
    plain_bytes_ += bytes;
    current_->plain.resize(current_->plain.size() + bytes);
    return current_->plain.room().empty() ? submit_current() : Result<>();
}

Result<> ArtifactStream::write(ByteSpan bytes) {
    while (!bytes.empty()) {
        const MutableByteSpan space = TRY(room());
        const std::size_t count = std::min(space.size(), bytes.size());
        std::memcpy(space.data(), bytes.data(), count);
        TRY(took(count));
        bytes = bytes.subspan(count);
    }
    return {};
}

Result<> ArtifactStream::submit_current() {
    const std::lock_guard lock(mutex_);
    if (error_) return *error_;
    current_->level = level_.level();
    const std::int32_t other = current_->level == level_.ordered() ? LevelChoice::kFast : level_.ordered();
    current_->other_level = level_.try_both() ? other : 0;
    level_.used();
    pool_.submit(*current_);
    in_work_.push_back(std::move(current_));
    changed_.notify_all();
    return {};
}

void ArtifactStream::emit_all() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return ending_ || !in_work_.empty(); });
        if (in_work_.empty()) return;
        CompressionBlock& block = *in_work_.front();
        const bool wanted = !error_;
        lock.unlock();
        // Even after an error: the pool must be done with a block before it goes.
        pool_.wait(block);
        Result<> emitted = wanted ? emit(block) : Result<>();
        lock.lock();
        if (block.other_level != 0 && !block.error) {
            const bool fast_first = block.level == LevelChoice::kFast;
            level_.tried(fast_first ? block.level_bytes : block.other_bytes,
                         fast_first ? block.other_bytes : block.level_bytes);
        }
        spare_.push_back(std::move(in_work_.front()));
        in_work_.pop_front();
        if (!emitted && !error_) error_ = std::move(emitted).error();
        changed_.notify_all();
    }
}

Result<> ArtifactStream::emit(CompressionBlock& block) {
    if (block.error) return *block.error;
    if (seal_) {
        const Result<> sealed = seal_->write(block.packed.bytes());
        pool_.give_room(std::move(block.packed));
        return sealed;
    }
    return last_->pass(std::move(block.packed));
}

void ArtifactStream::stop_emitting() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        changed_.notify_all();
    }
    if (emitter_.joinable()) emitter_.join();
}

Result<> ArtifactStream::finish() {
    // An empty artifact is one empty frame, not an empty file.
    if (plain_bytes_ == 0) TRY(room());
    if (current_) TRY(submit_current());
    stop_emitting();
    if (error_) return *error_;
    TRY(seal_ ? seal_->finish() : last_->finish());
    stored_ = last_->stored();
    stored_.plain_bytes = plain_bytes_;
    finished_ = true;
    to_.close(std::nullopt);
    return {};
}

void ArtifactStream::abort(const Error& error) {
    if (finished_) return;
    {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = error;
    }
    // First the readers: the emitter may stand in a push that waits for them.
    to_.close(error);
    finished_ = true;
    stop_emitting();
}

}  // namespace backstay
