#include "storage/s3/object_options.h"

#include "common/clock.h"

namespace backstay::s3 {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

}  // namespace

http::Headers ObjectOptions::headers(const PutOptions& options, TimeMs now) const {
    http::Headers headers;
    headers.set("Content-Type", options.content_type);
    if (!storage_class.empty()) headers.set("x-amz-storage-class", storage_class);
    if (!sse.empty()) headers.set("x-amz-server-side-encryption", sse);
    if (!kms_key_id.empty()) headers.set("x-amz-server-side-encryption-aws-kms-key-id", kms_key_id);
    if (lock_days > 0 && options.retain) {
        headers.set("x-amz-object-lock-mode", "COMPLIANCE");
        const TimeMs until = (now / 1000 + 1) * 1000 + static_cast<std::int64_t>(lock_days) * kDayMs;
        headers.set(kLockUntil, to_rfc3339(until));
    }
    return headers;
}

}  // namespace backstay::s3
