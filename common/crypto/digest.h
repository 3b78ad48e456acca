// Digests of byte streams: SHA-256 for stored artifacts (people check them with sha256sum), SHA-1 only to check Odoo's
// file names, BLAKE3 for content identity of our own where there is much of it (WAL), BLAKE2b-256 elsewhere. One thread
// at a time per object.
#pragma once

#include <memory>
#include <string>

#include "common/bytes.h"

namespace backstay {

enum class DigestKind { sha256, sha1, blake2b, blake3 };

class Digest {
public:
    // Aborts when the crypto library lacks the algorithm: the program is then not usable at all.
    explicit Digest(DigestKind kind);
    ~Digest();
    Digest(Digest&&) noexcept;
    Digest& operator=(Digest&&) noexcept;

    void update(ByteSpan bytes);
    // Lower-case hex of all since the last hex(); the object is then as new and may be used again.
    std::string hex();

private:
    class Engine;
    std::unique_ptr<Engine> engine_;
};

std::string digest_hex(DigestKind kind, ByteSpan bytes);

// Digests what passes on its way to `next`, and counts it. `next` outlives it; finish() is handed on.
class DigestingSink final : public Sink {
public:
    DigestingSink(DigestKind kind, Sink& next) : digest_(kind), next_(next) {}
    Result<> write(ByteSpan bytes) override;
    Result<> finish() override { return next_.finish(); }
    std::uint64_t bytes() const { return bytes_; }
    std::string hex() { return digest_.hex(); }

private:
    Digest digest_;
    Sink& next_;
    std::uint64_t bytes_ = 0;
};

// Digests and counts, keeps nothing.
class DigestSink final : public Sink {
public:
    explicit DigestSink(DigestKind kind) : digest_(kind) {}
    Result<> write(ByteSpan bytes) override;
    std::uint64_t bytes() const { return bytes_; }
    std::string hex() { return digest_.hex(); }

private:
    Digest digest_;
    std::uint64_t bytes_ = 0;
};

}  // namespace backstay
