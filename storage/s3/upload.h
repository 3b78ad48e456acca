// A new object, sent in one piece or as a multipart upload. Both repeat each piece with patience and leave the question
// "is that ours already?" to the caller: `conflict` means that the key has an object.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/s3/connection.h"
#include "storage/s3/object_options.h"
#include "storage/s3/part_buffer.h"

namespace backstay::s3 {

struct SentPart {
    std::uint64_t size = 0;
    std::string sha256;  // hex
    std::string etag;    // as answered, with its quotes
};

// The content as it was cut: enough to recognise it again without keeping it.
using SentParts = std::vector<SentPart>;

// The whole object is in `part`. Features that the server refuses are switched off in `features`.
Result<ObjectInfo> put_whole(Connection& connection, std::string_view key, const PartBuffer& part,
                             const http::Headers& headers, Features& features);

class MultipartUpload {
public:
    static Result<MultipartUpload> begin(Connection& connection, std::string_view key, const http::Headers& headers,
                                         Features& features);

    Result<> add(const PartBuffer& part);
    // Makes the object visible. not_found: the server no longer knows the upload, which also is what a repeated call
    // hears when the first was done and only its answer got lost.
    Result<> complete();
    // Gives the parts back to the server, also those of an earlier attempt to begin whose answer got lost. Needed after
    // any failure, complete() included; after a stop request too.
    Result<> abort();

    const SentParts& parts() const { return parts_; }
    std::uint64_t bytes() const { return bytes_; }

private:
    MultipartUpload(Connection& connection, std::string_view key, Features& features)
        : connection_(connection), key_(key), features_(features), checksums_(features.checksums) {}
    Result<> create(const http::Headers& headers);
    Result<> abort_strays();
    std::string parts_document() const;

    Connection& connection_;
    std::string key_;
    Features& features_;
    bool checksums_;  // as this upload was begun
    std::string upload_id_;
    SentParts parts_;
    std::uint64_t bytes_ = 0;
};

}  // namespace backstay::s3
