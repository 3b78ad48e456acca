// JSON Web Tokens in compact form (RFC 7519, 8725). A verifier holds one key for one algorithm; what a token says about
// its algorithm is only ever compared with that, never followed. Immutable after creation: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/result.h"

namespace backstay {

enum class JwtAlgorithm { hs256, rs256, eddsa };

// "HS256", "RS256", "EdDSA"; `none` and everything else is invalid.
Result<JwtAlgorithm> parse_jwt_algorithm(std::string_view name);
std::string_view to_string(JwtAlgorithm algorithm);

inline constexpr std::size_t kMaxJwtBytes = 8 * 1024;
inline constexpr std::size_t kMinJwtSecretBytes = 32;

// What a token must say beside being signed. `exp` is always required.
struct JwtExpectation {
    std::string issuer;    // empty: any, or none
    std::string audience;  // empty: any, or none; otherwise it must be among the token's
    std::int64_t leeway_ms = 60'000;
};

class JwtVerifier {
public:
    // HS256 with a secret of at least 32 bytes.
    static Result<JwtVerifier> with_secret(std::string secret, JwtExpectation expectation);
    // RS256 (2048 bits or more) or EdDSA (Ed25519) with a public key in PEM; another kind of key is invalid.
    static Result<JwtVerifier> with_public_key(JwtAlgorithm algorithm, std::string_view pem,
                                               JwtExpectation expectation);
    ~JwtVerifier();
    JwtVerifier(JwtVerifier&&) noexcept;
    JwtVerifier& operator=(JwtVerifier&&) noexcept;

    // The claims of a token that is genuine and valid at `now`. Otherwise denied; the fact `token` says why in a word:
    // malformed, algorithm, signature, expired, not_yet_valid, issuer, audience. The error never quotes the token.
    Result<json::Object> verify(std::string_view token, TimeMs now) const;

private:
    struct Key;
    JwtVerifier(std::unique_ptr<Key> key, JwtExpectation expectation);
    std::unique_ptr<Key> key_;
    JwtExpectation expectation_;
};

// Makes a token with HS256. The caller sets the claims, times in seconds.
std::string sign_jwt(std::string_view secret, const json::Object& claims);

}  // namespace backstay
