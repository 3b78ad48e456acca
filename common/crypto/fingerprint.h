// A fingerprint tells whether bytes that come back are those that went: AES-GMAC under a key drawn for this one stream,
// which never leaves memory, so that nobody can prepare other bytes with the same one, and accident has a chance below
// 2^-90. Ten times as fast as SHA-256, which it does not replace: nothing of it is stored. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "common/bytes.h"

namespace backstay {

struct FingerprintKey {
    std::array<std::byte, 32> bytes{};
    static FingerprintKey random();
};

using FingerprintValue = std::array<std::byte, 16>;

class Fingerprint {
public:
    // Aborts when the crypto library lacks the algorithm: the program is then not usable at all.
    explicit Fingerprint(const FingerprintKey& key);
    ~Fingerprint();
    Fingerprint(Fingerprint&&) noexcept;
    Fingerprint& operator=(Fingerprint&&) noexcept;

    void update(ByteSpan bytes);
    // Once, at the end.
    FingerprintValue value();

private:
    class Engine;
    std::unique_ptr<Engine> engine_;
};

// Takes a fingerprint of what it gets, keeps nothing.
class FingerprintSink final : public Sink {
public:
    explicit FingerprintSink(const FingerprintKey& key) : fingerprint_(key) {}
    Result<> write(ByteSpan bytes) override;
    FingerprintValue value() { return fingerprint_.value(); }

private:
    Fingerprint fingerprint_;
};

}  // namespace backstay
