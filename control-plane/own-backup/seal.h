// A backup of the control plane as one stream: an SQLite file, and behind it one line with the SHA-256 of all bytes
// before that line. SQLite and its tools read no further than their own pages, so the file opens as it is; and
// `head -c -100 FILE | sha256sum` gives the digest by hand.
#pragma once

#include <string>

#include "common/bytes.h"
#include "common/crypto/digest.h"

namespace backstay::own_backup {

inline constexpr std::size_t kSealBytes = 100;

// "\nBACKSTAY CONTROL BACKUP 1 SHA256   <64 hex digits>\n"
std::string seal(const std::string& sha256);

// Passes on all but the seal, and compares it at the end. Errors of finish(): invalid (no such backup), corrupted.
class SealedSink final : public Sink {
public:
    // `to` outlives it.
    explicit SealedSink(Sink& to) : to_(to) {}
    Result<> write(ByteSpan bytes) override;
    Result<> finish() override;

private:
    Sink& to_;
    Digest digest_{DigestKind::sha256};
    std::string held_;  // the last bytes so far, which may be the seal
};

}  // namespace backstay::own_backup
