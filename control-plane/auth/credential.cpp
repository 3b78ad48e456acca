#include "control-plane/auth/credential.h"

#include <strings.h>

#include "common/bytes.h"
#include "common/crypto/digest.h"
#include "common/ids.h"
#include "control-plane/api/answer.h"

namespace backstay::auth {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kShownCharacters = 8;
constexpr std::size_t kMaxCredentialBytes = 8 * 1024;

Credential classify(std::string_view secret, bool from_query) {
    Credential credential{Credential::Kind::token, std::string(secret), from_query};
    if (secret.starts_with(kReadKeyPrefix) || secret.starts_with(kWriteKeyPrefix)) {
        credential.kind = Credential::Kind::api_key;
    } else if (secret.starts_with(kAgentPrefix)) {
        credential.kind = Credential::Kind::agent;
    }
    return credential;
}

Error malformed() {
    return api::problem(401, "invalid_auth", "the Authorization header must be `Bearer <token or API key>`");
}

}  // namespace

std::string new_secret(std::string_view prefix) { return std::string(prefix) + random_token(kSecretBytes); }

std::string hash_secret(std::string_view secret) { return digest_hex(DigestKind::sha256, as_bytes(secret)); }

std::string display_prefix(std::string_view key) {
    return std::string(key.substr(0, kWriteKeyPrefix.size() + kShownCharacters));
}

Result<Credential> credential_of(const http::Request& request, bool api_key_header, bool query_token) {
    const std::string_view header = request.headers.get("Authorization");
    if (!header.empty()) {
        constexpr std::string_view kScheme = "Bearer ";
        if (header.size() <= kScheme.size() || header.size() > kMaxCredentialBytes ||
            ::strncasecmp(header.data(), kScheme.data(), kScheme.size()) != 0) {
            return malformed();
        }
        const std::string_view secret = header.substr(kScheme.size());
        if (secret.find(' ') != std::string_view::npos || secret.find('\t') != std::string_view::npos)
            return malformed();
        return classify(secret, false);
    }
    if (const std::string_view key = request.headers.get("X-API-Key"); api_key_header && !key.empty()) {
        const Credential credential = classify(key, false);
        if (credential.kind != Credential::Kind::api_key) {
            return api::problem(401, "invalid_key_format", "X-API-Key takes an API key (bks_ro_… or bks_rw_…)");
        }
        return credential;
    }
    const std::string* token = query_token ? request.query_value("access_token") : nullptr;
    if (token != nullptr && !token->empty()) return classify(*token, true);
    return Credential{};
}

}  // namespace backstay::auth
