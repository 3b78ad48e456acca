// How a WAL file lies in a destination: a zstd skippable frame with a description in JSON, then one ordinary zstd frame
// with a checksum. `zstd -d` gives the content back without us, and a small ranged read gives the description. Where a
// destination is encrypted, the whole is a secretstream (common/crypto/secretstream.h) under the name "….zst.enc".
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/artifact/buffer.h"
#include "agent/wal/record_reader.h"
#include "agent/wal/segment_name.h"
#include "common/bytes.h"
#include "common/crypto/secretstream.h"
#include "common/json/json.h"
#include "common/result.h"

namespace backstay::wal {

// Format 1 digested its content with BLAKE2b. It is read for ever and not written any more.
struct ObjectHead {
    std::int32_t format = 2;
    std::string name;       // as PostgreSQL names it
    std::string system_id;  // decimal
    std::uint64_t segment_bytes = 0;
    std::uint64_t bytes = 0;  // of the content
    // Of the content, 64 hex digits: one of them, by the format.
    std::optional<std::string> blake2b;
    std::optional<std::string> blake3;
    // Of segments and partial ones.
    std::optional<std::string> start_lsn;
    std::optional<std::int32_t> page_magic;
    std::optional<Timestamp> first_commit;
    std::optional<Timestamp> last_commit;
    std::optional<std::string> commits_end;  // LSN: where the record of the last one in the segment ends

    // Equal digest, equal content. Of different digests nothing follows when the formats differ: is_content().
    std::string digest() const { return blake3 ? *blake3 : blake2b.value_or(""); }
};
BOOST_DESCRIBE_STRUCT(ObjectHead, (),
                      (format, name, system_id, segment_bytes, bytes, blake2b, blake3, start_lsn, page_magic,
                       first_commit, last_commit, commits_end))

// The most that a description may take; a read of so many bytes of a plain object holds it.
inline constexpr std::size_t kHeadBytesMax = 4096;
// Of an encrypted one: its first chunk.
inline constexpr std::size_t kEncryptedHeadBytes = kEncryptedHeaderBytes + 65'536 + 17;

struct PackedObject {
    WalName name;
    ObjectHead head;
    Buffer bytes;  // as it is stored, encrypted or not
};

struct PackOrder {
    WalName name;
    std::uint64_t system_id = 0;
    std::uint64_t segment_bytes = 0;
    const StreamKey* key = nullptr;  // nullptr: not encrypted
};

// Packs one file after the other; keeps its working memory between them. One thread at a time.
class Packer {
public:
    explicit Packer(std::int32_t zstd_level);
    ~Packer();
    Packer(const Packer&) = delete;
    Packer& operator=(const Packer&) = delete;

    // Reads `plain` to its end. A segment must be whole and what its name says (check_first_page); other files have at
    // most 1 MiB.
    Result<PackedObject> pack(Source& plain, const PackOrder& order);
    // Gives the working memory back until the next one.
    void rest();

private:
    struct State;
    std::unique_ptr<State> state_;
};

// The description, from the beginning of a stored object. `corrupted` when there is none.
Result<ObjectHead> read_object_head(ByteSpan beginning);

// The same of an object as it is stored, encrypted or not; `bytes` may be the whole or the first kEncryptedHeadBytes.
Result<ObjectHead> read_stored_head(ByteSpan bytes, const StreamKey* key);

// Unpacks what is written to it; passes the content on to `to`. finish() succeeds only when the object was whole and
// its content is what the description says; it does not finish `to`. Errors: corrupted, reason remote_corrupt.
class UnpackingSink final : public Sink {
public:
    explicit UnpackingSink(Sink& to);
    ~UnpackingSink() override;
    Result<> write(ByteSpan bytes) override;
    Result<> finish() override;
    // After finish().
    const ObjectHead& head() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// The content of an object in memory; `key`: it is encrypted. `to` is not finished.
Result<ObjectHead> unpack(ByteSpan stored, const StreamKey* key, Sink& to);

// Whether the content of `object` is the one of that digest, in whichever format that was made. `key`: it is encrypted.
Result<bool> is_content(const PackedObject& object, const std::string& digest, const StreamKey* key);

}  // namespace backstay::wal
