// One artifact on its way out: what is written is compressed in blocks by the pool, encrypted when a key is given,
// digested (SHA-256 of the stored bytes) and handed to the fan-out. Order is kept; memory is a few blocks. One thread
// writes; compression, and encryption with digest, run on threads of their own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/artifact/compression_pool.h"
#include "agent/artifact/fan_out.h"
#include "common/bytes.h"
#include "common/crypto/fingerprint.h"
#include "common/crypto/secretstream.h"

namespace backstay {

struct StoredBytes {
    std::uint64_t bytes = 0;        // as stored
    std::uint64_t plain_bytes = 0;  // before compression
    std::string sha256;             // of the stored bytes
    FingerprintKey key;             // for what is read back
    FingerprintValue fingerprint{};
};

class ArtifactStream final : public Sink {
public:
    // `pool`, `to` and `key` (null: not encrypted) outlive it. `level` is zstd's.
    ArtifactStream(CompressionPool& pool, std::int32_t level, FanOut& to, const StreamKey* key, Priority priority);
    // Not finished: readers of the fan-out get an error, never a quiet end.
    ~ArtifactStream() override;

    Result<> write(ByteSpan bytes) override;
    // The same without a copy: fill the beginning of room() (never empty), then say how much.
    Result<MutableByteSpan> room();
    Result<> took(std::size_t bytes);

    // Everything has been handed on and the readers see the end; stored() is then known.
    Result<> finish() override;
    // The readers get this error instead of an end.
    void abort(const Error& error);
    const StoredBytes& stored() const { return stored_; }

private:
    class Ending;
    Result<> submit_current();
    void emit_all();
    Result<> emit(CompressionBlock& block);
    void stop_emitting();

    CompressionPool& pool_;
    FanOut& to_;
    const StreamKey* key_;
    const std::size_t most_blocks_;
    LevelChoice level_;  // under the mutex
    std::unique_ptr<CompressionBlock> current_;
    std::uint64_t plain_bytes_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<CompressionBlock>> in_work_;  // in order
    std::vector<std::unique_ptr<CompressionBlock>> spare_;
    std::size_t blocks_made_ = 0;
    bool ending_ = false;
    bool finished_ = false;
    std::optional<Error> error_;

    std::unique_ptr<Ending> last_;          // digests and hands on
    std::unique_ptr<EncryptingSink> seal_;  // before it, with a key
    StoredBytes stored_;
    std::thread emitter_;
};

}  // namespace backstay
