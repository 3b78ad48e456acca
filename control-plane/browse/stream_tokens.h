// Signed, expiring URLs of our own: /api/storage/stream/<token> gives one object to whoever holds the token, where the
// store cannot presign. A token names its object, is valid until its end, and cannot be altered (HMAC-SHA256).
// Immutable: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/crypto/secret_box.h"
#include "common/http/message.h"
#include "common/result.h"

namespace backstay::browse {

inline constexpr std::int64_t kStreamSeconds = 900;
inline constexpr std::string_view kStreamPath = "/api/storage/stream/";

// What a token grants.
struct StreamGrant {
    std::string organization_id;
    std::string destination_id;
    std::string key;            // relative to the destination's prefix
    std::string download_name;  // of Content-Disposition; empty: the key's last segment
    TimeMs expires_at = 0;
};

class StreamTokens {
public:
    // The signing key is made from the installation's key for secrets.
    explicit StreamTokens(const SecretBox& box);

    std::string make(const StreamGrant& grant) const;
    // 404 link_not_found when it was not made here or was altered, 410 link_expired.
    Result<StreamGrant> open(std::string_view token, TimeMs now) const;

    // The whole address, as the caller of `request` reaches this server (Host, X-Forwarded-Proto of a proxy).
    std::string url(const StreamGrant& grant, const http::Request& request) const;

private:
    std::string key_;
};

// "https://host:port" as the caller reached this server; "" when the request names no host.
std::string origin_of(const http::Request& request);

}  // namespace backstay::browse
