#include "control-plane/browse/stream_tokens.h"

#include <boost/describe.hpp>

#include "common/bytes.h"
#include "common/crypto/base64url.h"
#include "common/crypto/hmac.h"
#include "common/json/json.h"
#include "control-plane/api/answer.h"

namespace backstay::browse {
namespace {

// Short names: it stands in a URL.
struct Payload {
    std::string o;
    std::string d;
    std::string k;
    std::string n;
    std::int64_t e = 0;
};
BOOST_DESCRIBE_STRUCT(Payload, (), (o, d, k, n, e))

constexpr std::size_t kLongestToken = 8 * 1024;

Error unknown() { return api::problem(404, "link_not_found", "this link is not one of ours, or was altered"); }

}  // namespace

StreamTokens::StreamTokens(const SecretBox& box) : key_(box.derive("stream tokens")) {}

std::string StreamTokens::make(const StreamGrant& grant) const {
    const Payload payload{grant.organization_id, grant.destination_id, grant.key, grant.download_name,
                          grant.expires_at};
    const std::string body = base64url_encode(as_bytes(json::encode_text(payload)));
    return body + "." + base64url_encode(as_bytes(hmac_sha256(key_, body)));
}

Result<StreamGrant> StreamTokens::open(std::string_view token, TimeMs now) const {
    const std::size_t dot = token.find('.');
    if (token.size() > kLongestToken || dot == std::string_view::npos) return unknown();
    const std::string_view body = token.substr(0, dot);
    const auto signature = base64url_decode(token.substr(dot + 1));
    if (!signature || !constant_time_equal(*signature, hmac_sha256(key_, body))) return unknown();
    const auto text = base64url_decode(body);
    if (!text) return unknown();
    auto payload = json::decode_text<Payload>(*text);
    if (!payload) return unknown();
    if (now >= payload->e) return api::problem(410, "link_expired", "this link has expired; ask for a new one");
    return StreamGrant{std::move(payload->o), std::move(payload->d), std::move(payload->k), std::move(payload->n),
                       payload->e};
}

std::string StreamTokens::url(const StreamGrant& grant, const http::Request& request) const {
    return origin_of(request).append(kStreamPath).append(make(grant));
}

std::string origin_of(const http::Request& request) {
    const std::string_view host = request.headers.get("Host");
    if (host.empty()) return {};
    const bool secure = request.headers.get("X-Forwarded-Proto") == "https" || request.secure;
    return std::string(secure ? "https://" : "http://").append(host);
}

}  // namespace backstay::browse
