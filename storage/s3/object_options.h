// What every new object of a destination is given, and what its server turned out to support.
#pragma once

#include <optional>
#include <string>

#include "common/http/message.h"
#include "storage/storage.h"

namespace backstay::s3 {

// Headers that not every server knows. One that refuses them is asked without from then on.
struct Features {
    bool checksums = true;    // x-amz-checksum-sha256 (whoever does not know it mostly just ignores it)
    bool conditional = true;  // If-None-Match: the server itself refuses to replace an object
    bool batches = true;      // DeleteObjects
};

inline constexpr std::string_view kLockUntil = "x-amz-object-lock-retain-until-date";

struct ObjectOptions {
    std::string storage_class;  // each empty: the bucket's default
    std::string sse;
    std::string kms_key_id;
    std::uint32_t lock_days = 0;  // 0: no lock

    // For PutObject and CreateMultipartUpload.
    http::Headers headers(const PutOptions& options, TimeMs now) const;
};

}  // namespace backstay::s3
