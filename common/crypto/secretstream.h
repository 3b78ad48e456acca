// Encrypted artifacts: libsodium's secretstream (XChaCha20-Poly1305) in chunks, under a key that the organization
// holds.
//
// The format, so that nothing of ours is needed to read it:
//   "BACKSTAY"  8 bytes
//   version     1 byte, 1
//   key id      8 bytes, the first of BLAKE2b-256(key)
//   header      24 bytes of crypto_secretstream_xchacha20poly1305
//   chunks      each 65,536 bytes of plain text (the last 0 to 65,536) + 17; the 41 bytes above are additional data of
//               each; only the last carries the tag FINAL
// Cut, reordered, repeated, changed, or under another key: reading fails, and says so before the end is accepted. What
// a reader passed on earlier was authentic each chunk for itself; it is the whole only when the end was accepted.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/result.h"

namespace backstay {

// 32 secret bytes, wiped when no longer needed.
class StreamKey {
public:
    // A file of base64 or hex (and white space around it) that nobody but its owner may read. Absent: not_found;
    // reason encryption_key_missing with every error.
    static Result<StreamKey> load(const std::string& path);
    static Result<StreamKey> parse(std::string_view base64_or_hex);
    // Makes a random key and writes it, base64, to a new file of mode 0600; a file that exists is a conflict.
    static Result<StreamKey> create(const std::string& path);

    StreamKey(const StreamKey&) = default;
    StreamKey& operator=(const StreamKey&) = default;
    ~StreamKey();

    // 16 hex digits that tell keys apart without giving them away.
    std::string id() const;
    const std::array<unsigned char, 32>& bytes() const { return bytes_; }

private:
    StreamKey() = default;
    std::array<unsigned char, 32> bytes_{};
};

inline constexpr std::size_t kEncryptedHeaderBytes = 41;

// The key id in the first bytes of an object; empty when they are not the beginning of an encrypted stream.
std::string encrypted_key_id(ByteSpan beginning);

// The stored size of `plain_bytes`.
std::uint64_t encrypted_size(std::uint64_t plain_bytes);

// Encrypts into `to`, which must outlive it. finish() writes the last chunk and finishes `to`.
class EncryptingSink final : public Sink {
public:
    EncryptingSink(const StreamKey& key, Sink& to);
    ~EncryptingSink() override;
    Result<> write(ByteSpan bytes) override;
    Result<> finish() override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Decrypts what is written to it into `to`. finish() succeeds only when the stream was whole; it finishes `to`.
// Errors: corrupted with reason decrypt_failed; another key: denied with reason encryption_key_missing.
class DecryptingSink final : public Sink {
public:
    DecryptingSink(const StreamKey& key, Sink& to);
    ~DecryptingSink() override;
    Result<> write(ByteSpan bytes) override;
    Result<> finish() override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// The same as a Source: the quiet 0 at the end comes only when the stream was whole.
class DecryptingSource final : public Source {
public:
    DecryptingSource(const StreamKey& key, Source& from);
    ~DecryptingSource() override;
    Result<std::size_t> read(MutableByteSpan buffer) override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace backstay
