// AWS Signature Version 4, in headers and as a presigned URL. Pure: the time is given. Checked against the vectors that
// AWS publishes and against botocore (tests/unit/storage/s3/signer_test.cpp).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/http/message.h"

namespace backstay::s3 {

struct Credentials {
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;
    std::string region;
};

using Query = std::vector<std::pair<std::string, std::string>>;  // not encoded, in any order

// What is signed is what is sent: `path` and canonical_query(query) make the URL.
struct Signable {
    std::string method;
    std::string host;  // as in the Host header
    std::string path;  // encoded
    Query query;
    std::string payload_sha256;  // lower-case hex, or kUnsignedPayload
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
inline constexpr std::uint32_t kLongestPresign = 7 * 24 * 3600;

// Encoded and sorted as the signature wants it; a parameter without value keeps its '='.
std::string canonical_query(const Query& query);

// Adds x-amz-date, x-amz-content-sha256, the token when there is one, and Authorization. All headers given are signed.
void sign(const Credentials& credentials, const Signable& request, TimeMs now, http::Headers& headers);

// The query string (without '?') that lets anybody make the request until `seconds` after `now`, at most
// kLongestPresign.
std::string presign(const Credentials& credentials, Signable request, TimeMs now, std::uint32_t seconds);

// For the checksum headers: lower-case hex to base64 of the same bytes. Input that is no hex gives "".
std::string base64_of_hex(std::string_view hex);
// The way back for what a server answers; "" when it is not the base64 of 32 bytes.
std::string sha256_of_base64(std::string_view base64);

}  // namespace backstay::s3
