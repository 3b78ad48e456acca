#include "common/crypto/jwt.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cmath>
#include <optional>

#include "common/bytes.h"
#include "common/crypto/base64url.h"
#include "common/crypto/hmac.h"

namespace backstay {

namespace {

using PublicKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Verification = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

Error refused(std::string_view why, std::string message) {
    return Error(Errc::denied, std::move(message)).with_fact("token", std::string(why));
}

Error malformed() { return refused("malformed", "the token is malformed"); }

Result<json::Object> decode_part(std::string_view part) {
    const Result<std::string> text = base64url_decode(part);
    if (!text) return malformed();
    Result<json::Value> value = json::parse(*text);
    if (!value || !value->is_object()) return malformed();
    return std::move(value->as_object());
}

bool check_public_key_signature(JwtAlgorithm algorithm, EVP_PKEY* key, std::string_view signed_text,
                                std::string_view signature) {
    const Verification context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    const EVP_MD* digest = algorithm == JwtAlgorithm::rs256 ? EVP_sha256() : nullptr;
    const auto octets = [](std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); };
    const bool genuine =
        context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
        EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(signed_text), signed_text.size()) ==
            1;
    ERR_clear_error();
    return genuine;
}

// NumericDate (RFC 7519 section 2): seconds, perhaps with a fraction. Numbers beyond the year 9999 are no dates.
std::optional<TimeMs> date_claim(const json::Value& value) {
    constexpr std::int64_t kMaxSeconds = 253'402'300'799;
    if (const std::int64_t* whole = value.if_int64()) {
        if (*whole < 0 || *whole > kMaxSeconds) return std::nullopt;
        return *whole * 1000;
    }
    if (const double* exact = value.if_double()) {
        if (!std::isfinite(*exact) || *exact < 0 || *exact > static_cast<double>(kMaxSeconds)) return std::nullopt;
        return static_cast<TimeMs>(*exact * 1000);
    }
    return std::nullopt;
}

bool names_audience(const json::Value& value, std::string_view audience) {
    if (const auto* one = value.if_string()) return std::string_view(*one) == audience;
    const json::Array* many = value.if_array();
    if (many == nullptr) return false;
    for (const json::Value& item : *many) {
        const auto* name = item.if_string();
        if (name != nullptr && std::string_view(*name) == audience) return true;
    }
    return false;
}

Result<> check_times(const json::Object& claims, TimeMs now, std::int64_t leeway_ms) {
    const json::Value* expiry = claims.if_contains("exp");
    const std::optional<TimeMs> ends = expiry == nullptr ? std::nullopt : date_claim(*expiry);
    if (!ends) return refused("malformed", "the token has no expiry");
    if (now >= *ends + leeway_ms) return refused("expired", "the token has expired");
    if (const json::Value* not_before = claims.if_contains("nbf")) {
        const std::optional<TimeMs> begins = date_claim(*not_before);
        if (!begins) return malformed();
        if (now < *begins - leeway_ms) return refused("not_yet_valid", "the token is not valid yet");
    }
    return {};
}

Result<> check_parties(const json::Object& claims, const JwtExpectation& expectation) {
    if (!expectation.issuer.empty()) {
        const json::Value* issuer = claims.if_contains("iss");
        if (issuer == nullptr || !issuer->is_string() || issuer->as_string() != expectation.issuer) {
            return refused("issuer", "the token comes from another issuer");
        }
    }
    if (!expectation.audience.empty()) {
        const json::Value* audience = claims.if_contains("aud");
        if (audience == nullptr || !names_audience(*audience, expectation.audience)) {
            return refused("audience", "the token is meant for another service");
        }
    }
    return {};
}

Result<> check_key_kind(JwtAlgorithm algorithm, EVP_PKEY* key) {
    switch (algorithm) {
        case JwtAlgorithm::hs256:
            return Error(Errc::invalid, "HS256 takes a secret, not a public key");
        case JwtAlgorithm::rs256:
            if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA) return Error(Errc::invalid, "RS256 needs an RSA key");
            if (EVP_PKEY_bits(key) < 2048) return Error(Errc::invalid, "RS256 needs a key of 2048 bits or more");
            return {};
        case JwtAlgorithm::eddsa:
            if (EVP_PKEY_base_id(key) != EVP_PKEY_ED25519) return Error(Errc::invalid, "EdDSA needs an Ed25519 key");
            return {};
    }
    return Error(Errc::invalid, "an unknown token algorithm");
}

}  // namespace

struct JwtVerifier::Key {
    JwtAlgorithm algorithm = JwtAlgorithm::hs256;
    std::string secret;
    PublicKey public_key{nullptr, &EVP_PKEY_free};

    bool signed_by(std::string_view signed_text, std::string_view signature) const {
        if (algorithm == JwtAlgorithm::hs256) {
            return constant_time_equal(hmac_sha256(secret, signed_text), signature);
        }
        return check_public_key_signature(algorithm, public_key.get(), signed_text, signature);
    }
};

Result<JwtAlgorithm> parse_jwt_algorithm(std::string_view name) {
    for (const JwtAlgorithm one : {JwtAlgorithm::hs256, JwtAlgorithm::rs256, JwtAlgorithm::eddsa}) {
        if (name == to_string(one)) return one;
    }
    return Error(Errc::invalid, "a token algorithm must be HS256, RS256 or EdDSA");
}

std::string_view to_string(JwtAlgorithm algorithm) {
    switch (algorithm) {
        case JwtAlgorithm::hs256:
            return "HS256";
        case JwtAlgorithm::rs256:
            return "RS256";
        case JwtAlgorithm::eddsa:
            return "EdDSA";
    }
    return "";
}

JwtVerifier::JwtVerifier(std::unique_ptr<Key> key, JwtExpectation expectation)
    : key_(std::move(key)), expectation_(std::move(expectation)) {}
JwtVerifier::~JwtVerifier() = default;
JwtVerifier::JwtVerifier(JwtVerifier&&) noexcept = default;
JwtVerifier& JwtVerifier::operator=(JwtVerifier&&) noexcept = default;

Result<JwtVerifier> JwtVerifier::with_secret(std::string secret, JwtExpectation expectation) {
    if (secret.size() < kMinJwtSecretBytes) {
        return Error(Errc::invalid, "the token secret is shorter than 32 bytes");
    }
    auto key = std::make_unique<Key>();
    key->secret = std::move(secret);
    return JwtVerifier(std::move(key), std::move(expectation));
}

Result<JwtVerifier> JwtVerifier::with_public_key(JwtAlgorithm algorithm, std::string_view pem,
                                                 JwtExpectation expectation) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                         &BIO_free);
    auto key = std::make_unique<Key>();
    key->algorithm = algorithm;
    if (text != nullptr) key->public_key.reset(PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    if (key->public_key == nullptr) return Error(Errc::invalid, "the token key is not a public key in PEM");
    TRY(check_key_kind(algorithm, key->public_key.get()));
    return JwtVerifier(std::move(key), std::move(expectation));
}

Result<json::Object> JwtVerifier::verify(std::string_view token, TimeMs now) const {
    if (token.size() > kMaxJwtBytes) return malformed();
    const std::size_t first = token.find('.');
    const std::size_t last = token.rfind('.');
    if (first == std::string_view::npos || first == last) return malformed();
    const std::string_view payload = token.substr(first + 1, last - first - 1);
    if (payload.find('.') != std::string_view::npos) return malformed();
    const json::Object header = TRY(decode_part(token.substr(0, first)));
    const json::Value* algorithm = header.if_contains("alg");
    if (algorithm == nullptr || !algorithm->is_string() || algorithm->as_string() != to_string(key_->algorithm)) {
        return refused("algorithm", "the token is signed in another way than configured");
    }
    // `crit` names extensions that must be understood (RFC 7515 4.1.11); none is understood here.
    if (header.contains("crit")) return refused("algorithm", "the token asks for an extension");
    const Result<std::string> signature = base64url_decode(token.substr(last + 1));
    if (!signature) return malformed();
    if (!key_->signed_by(token.substr(0, last), *signature)) {
        return refused("signature", "the token's signature is wrong");
    }
    json::Object claims = TRY(decode_part(payload));
    TRY(check_times(claims, now, expectation_.leeway_ms));
    TRY(check_parties(claims, expectation_));
    return claims;
}

std::string sign_jwt(std::string_view secret, const json::Object& claims) {
    std::string token = base64url_encode(as_bytes(R"({"alg":"HS256","typ":"JWT"})"));
    token += '.';
    token += base64url_encode(as_bytes(json::serialize(claims)));
    const std::string signature = hmac_sha256(secret, token);
    token += '.';
    token += base64url_encode(as_bytes(signature));
    return token;
}

}  // namespace backstay
