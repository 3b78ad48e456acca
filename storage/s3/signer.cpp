#include "storage/s3/signer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/crypto/digest.h"
#include "common/crypto/hmac.h"
#include "storage/s3/dates.h"

namespace backstay::s3 {

namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHex = "0123456789abcdef";

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return text;
}

std::string lower(std::string_view text) {
    std::string lowered(text);
    for (char& c : lowered) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lowered;
}

// Without the blanks at both ends, and inner runs of them as one.
std::string squeezed(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c != ' ' || (!text.empty() && text.back() != ' ')) text += c;
    }
    if (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

struct SignedHeaders {
    std::string canonical;  // one line each, sorted
    std::string names;      // "host;x-amz-date"
};

SignedHeaders canonical_headers(std::string_view host, const http::Headers& headers) {
    std::map<std::string, std::string> sorted = {{"host", std::string(host)}};
    for (const auto& [name, value] : headers.all()) sorted[lower(name)] = squeezed(value);
    SignedHeaders result;
    for (const auto& [name, value] : sorted) {
        result.canonical += fmt::format("{}:{}\n", name, value);
        result.names += result.names.empty() ? name : ";" + name;
    }
    return result;
}

std::string scope_of(const Credentials& credentials, std::string_view time) {
    return fmt::format("{}/{}/s3/aws4_request", time.substr(0, 8), credentials.region);
}

std::string signature(const Credentials& credentials, const Signable& request, const SignedHeaders& headers,
                      const std::string& time) {
    const std::string canonical =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, canonical_query(request.query),
                    headers.canonical, headers.names, request.payload_sha256);
    const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope_of(credentials, time),
                                            digest_hex(DigestKind::sha256, as_bytes(canonical)));
    std::string key = hmac_sha256("AWS4" + credentials.secret_access_key, std::string_view(time).substr(0, 8));
    for (const std::string_view part : {std::string_view(credentials.region), std::string_view("s3"),
                                        std::string_view("aws4_request"), std::string_view(to_sign)}) {
        key = hmac_sha256(key, part);
    }
    return hex(key);
}

}  // namespace

std::string canonical_query(const Query& query) {
    std::vector<std::pair<std::string, std::string>> encoded;
    encoded.reserve(query.size());
    for (const auto& [name, value] : query) {
        encoded.emplace_back(http::percent_encode(name, false), http::percent_encode(value, false));
    }
    std::sort(encoded.begin(), encoded.end());
    std::string text;
    for (const auto& [name, value] : encoded) text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
    return text;
}

void sign(const Credentials& credentials, const Signable& request, TimeMs now, http::Headers& headers) {
    const std::string time = amz_time(now);
    headers.set("x-amz-date", time);
    headers.set("x-amz-content-sha256", request.payload_sha256);
    if (!credentials.session_token.empty()) headers.set("x-amz-security-token", credentials.session_token);
    const SignedHeaders covered = canonical_headers(request.host, headers);
    headers.set("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                                             credentials.access_key_id, scope_of(credentials, time), covered.names,
                                             signature(credentials, request, covered, time)));
}

std::string presign(const Credentials& credentials, Signable request, TimeMs now, std::uint32_t seconds) {
    const std::string time = amz_time(now);
    const SignedHeaders covered = canonical_headers(request.host, {});
    request.payload_sha256 = kUnsignedPayload;
    Query& query = request.query;
    query.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
    query.emplace_back("X-Amz-Credential",
                       fmt::format("{}/{}", credentials.access_key_id, scope_of(credentials, time)));
    query.emplace_back("X-Amz-Date", time);
    query.emplace_back("X-Amz-Expires", fmt::format("{}", std::min(seconds, kLongestPresign)));
    if (!credentials.session_token.empty()) query.emplace_back("X-Amz-Security-Token", credentials.session_token);
    query.emplace_back("X-Amz-SignedHeaders", covered.names);
    return fmt::format("{}&X-Amz-Signature={}", canonical_query(query), signature(credentials, request, covered, time));
}

std::string base64_of_hex(std::string_view text) {
    std::string base64;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        const std::size_t digit = kHex.find(c);
        if (digit == kHex.npos) return "";
        bits = (bits << 4U) | static_cast<unsigned>(digit);
        count += 4;
        if (count < 6) continue;
        count -= 6;
        base64 += kBase64[(bits >> static_cast<unsigned>(count)) & 63U];
    }
    if (count > 0) base64 += kBase64[(bits << static_cast<unsigned>(6 - count)) & 63U];
    while (base64.size() % 4 != 0) base64 += '=';
    return base64;
}

std::string sha256_of_base64(std::string_view base64) {
    if (base64.size() != 44 || base64.back() != '=') return "";
    std::string text;
    unsigned bits = 0;
    int count = 0;
    for (const char c : base64.substr(0, 43)) {
        const std::size_t value = kBase64.find(c);
        if (value == kBase64.npos) return "";
        bits = (bits << 6U) | static_cast<unsigned>(value);
        count += 6;
        while (count >= 4 && text.size() < 64) {
            count -= 4;
            text += kHex[(bits >> static_cast<unsigned>(count)) & 15U];
        }
    }
    return text;
}

}  // namespace backstay::s3
