// Where artifacts live: one object per key, written once, never changed in place.
// Keys are relative to the destination's prefix: UTF-8, '/'-separated, at most 1,024 bytes, no empty, "." or ".."
// segment, no backslash, no control character (check_key; contract/semantics.md 9.2). A driver refuses others with
// `invalid`. Thread-compatible: one thread at a time per object. Every call may block. Errors name the key and carry a
// reason code of the contract (destination_unreachable, destination_auth_failed, destination_full, remote_missing,
// remote_corrupt, remote_immutable).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/result.h"

namespace backstay {

struct ObjectInfo {
    std::string key;
    std::uint64_t size_bytes = 0;
    TimeMs modified_at = 0;
    std::string etag;    // opaque; empty where the store has none
    std::string sha256;  // lower-case hex, when the store itself keeps and answers it; else empty
};

struct ListQuery {
    std::string prefix;          // "" lists everything; need not end in '/'
    bool one_level = false;      // '/' as delimiter: deeper keys are folded into `folders`
    std::string continue_after;  // ListPage::next of the page before
    std::size_t max_entries = 1000;
};

struct ListPage {
    std::vector<ObjectInfo> objects;   // sorted by key
    std::vector<std::string> folders;  // with trailing '/', only for one_level
    std::string next;                  // empty: this was the last page
};

struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t count = 0;  // 0: to the end
};

struct PutOptions {
    std::uint64_t expected_bytes = 0;  // an estimate; S3 chooses its part size by it. 0: unknown
    std::string content_type = "application/octet-stream";
    bool retain = true;  // false: without the destination's object lock, for what is removed again at once
};

class Storage {
public:
    virtual ~Storage() = default;
    virtual std::string_view kind() const = 0;  // "local", "s3", "sftp"

    // All or nothing: invisible under `key` until it is complete and durable, and gone without trace when the source
    // fails. The same content under the same key again is a success (a retry after a lost answer), another content is
    // `conflict`. The source is read once; the driver itself retries pieces that it still holds.
    virtual Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) = 0;
    // Streams the object, or a range of it, into `into` (finish() is left to the caller). Absent: not_found.
    virtual Result<> get(std::string_view key, const ByteRange& range, Sink& into) = 0;
    virtual Result<ObjectInfo> stat(std::string_view key) = 0;
    virtual Result<ListPage> list(const ListQuery& query) = 0;
    // Absent is success. Locked against deletion: denied with reason remote_immutable.
    virtual Result<> remove(std::string_view key) = 0;
    // Removes them all, in any order, with few calls where the store can. An error is of one that stays; others may
    // have gone, and the call may be made again.
    virtual Result<> remove_all(const std::vector<std::string>& keys);
    // Uncommitted leftovers of earlier puts that died (temporary files, multipart uploads) older than `older_than`.
    // Answers how many were removed.
    virtual Result<std::uint64_t> sweep_leftovers(TimeMs older_than) = 0;
    // Free bytes for new objects where the store can tell.
    virtual Result<std::optional<std::uint64_t>> free_bytes() = 0;
    // A URL that anybody may GET for `seconds`; nullopt where the store cannot.
    virtual Result<std::optional<std::string>> presign_get(std::string_view key, std::uint32_t seconds,
                                                           std::string_view download_name) = 0;
};

// `invalid` names what is wrong with the key; see the head of this file.
Result<> check_key(std::string_view key);

}  // namespace backstay
