#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <vector>

#include "common/crypto/base64url.h"
#include "common/crypto/hmac.h"
#include "common/crypto/jwt.h"

namespace backstay {
namespace {

constexpr TimeMs kNow = 1'700'000'000'000;
const std::string kSecret = "0123456789abcdef0123456789abcdef";

// A private key with which the tests sign as a foreign identity provider would.
struct SigningKey {
    explicit SigningKey(EVP_PKEY* made) : key(made, &EVP_PKEY_free) {}

    std::string public_pem() const {
        const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
        PEM_write_bio_PUBKEY(out.get(), key.get());
        std::string pem(BIO_ctrl_pending(out.get()), '\0');
        BIO_read(out.get(), pem.data(), static_cast<int>(pem.size()));
        return pem;
    }

    std::string sign(std::string_view text, const EVP_MD* digest) const {
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
        EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get());
        const auto* octets = reinterpret_cast<const unsigned char*>(text.data());
        std::size_t size = 0;
        EVP_DigestSign(context.get(), nullptr, &size, octets, text.size());
        std::string signature(size, '\0');
        EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, octets, text.size());
        signature.resize(size);
        return signature;
    }

    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
};

std::string encode(std::string_view text) { return base64url_encode(as_bytes(text)); }

std::string token_of(std::string_view header, std::string_view claims, const std::string& secret = kSecret) {
    const std::string text = encode(header) + "." + encode(claims);
    return text + "." + encode(hmac_sha256(secret, text));
}

std::string token_of(const SigningKey& key, std::string_view algorithm, const EVP_MD* digest) {
    const std::string header = "{\"alg\":\"" + std::string(algorithm) + "\"}";
    const std::string text = encode(header) + "." + encode(R"({"sub":"ann","exp":1700000600})");
    return text + "." + encode(key.sign(text, digest));
}

JwtVerifier verifier(JwtExpectation expectation = {}) {
    return std::move(JwtVerifier::with_secret(kSecret, std::move(expectation))).value();
}

// "" when the token holds, else the word of the refusal.
std::string fault_of(const JwtVerifier& verifier, std::string_view token, TimeMs now = kNow) {
    const auto claims = verifier.verify(token, now);
    if (claims) return "";
    EXPECT_EQ(claims.error().code(), Errc::denied);
    const auto fact = claims.error().facts().find("token");
    return fact == claims.error().facts().end() ? "no fact" : fact->second;
}

constexpr std::string_view kHs256 = R"({"alg":"HS256","typ":"JWT"})";

TEST(Jwt, ReadsBackWhatItSigned) {
    const json::Object claims{{"sub", "ann"}, {"exp", kNow / 1000 + 60}};
    const auto read = verifier().verify(sign_jwt(kSecret, claims), kNow);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->at("sub").as_string(), "ann");
}

TEST(Jwt, ReadsATokenOfAnotherImplementation) {
    // RFC 7515 appendix A.1.
    const std::string key =
        std::move(base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
                                   "PS4hcgUuTwjAzZr1Z9CAow"))
            .value();
    const auto reader = JwtVerifier::with_secret(key, {"joe", "", 60'000});
    EXPECT_EQ(
        fault_of(*reader,
                 "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6"
                 "Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                 1'300'819'000'000),
        "");
}

TEST(Jwt, RefusesTokensWithoutASignature) {
    for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"NONE"})", R"({"alg":""})", R"({})",
                               R"({"alg":null})", R"({"alg":["HS256"]})", R"({"alg":"hs256"})"}) {
        const std::string unsigned_text = encode(header) + "." + encode(R"({"exp":1700000600})") + ".";
        EXPECT_EQ(fault_of(verifier(), unsigned_text), "algorithm") << header;
        EXPECT_EQ(fault_of(verifier(), token_of(header, R"({"exp":1700000600})")), "algorithm") << header;
    }
    EXPECT_EQ(fault_of(verifier(), encode(kHs256) + "." + encode(R"({"exp":1700000600})") + "."), "signature");
}

TEST(Jwt, RefusesAPublicKeyUsedAsASecret) {
    const SigningKey key(EVP_RSA_gen(2048));
    const auto reader = JwtVerifier::with_public_key(JwtAlgorithm::rs256, key.public_pem(), {});
    ASSERT_TRUE(reader);
    EXPECT_EQ(fault_of(*reader, token_of(kHs256, R"({"exp":1700000600})", key.public_pem())), "algorithm");
    EXPECT_EQ(fault_of(*reader, token_of(R"({"alg":"RS256"})", R"({"exp":1700000600})", key.public_pem())),
              "signature");
}

TEST(Jwt, VerifiesRs256AndEdDsa) {
    const SigningKey rsa(EVP_RSA_gen(2048));
    const SigningKey ed(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    const auto rsa_reader = JwtVerifier::with_public_key(JwtAlgorithm::rs256, rsa.public_pem(), {});
    const auto ed_reader = JwtVerifier::with_public_key(JwtAlgorithm::eddsa, ed.public_pem(), {});
    ASSERT_TRUE(rsa_reader && ed_reader);
    std::string by_rsa = token_of(rsa, "RS256", EVP_sha256());
    std::string by_ed = token_of(ed, "EdDSA", nullptr);
    EXPECT_EQ(fault_of(*rsa_reader, by_rsa), "");
    EXPECT_EQ(fault_of(*ed_reader, by_ed), "");
    EXPECT_EQ(fault_of(*rsa_reader, by_ed), "algorithm");
    EXPECT_EQ(fault_of(*ed_reader, by_rsa), "algorithm");
    EXPECT_EQ(
        fault_of(*ed_reader, token_of(SigningKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")), "EdDSA", nullptr)),
        "signature");
    by_rsa[by_rsa.size() - 10] = by_rsa[by_rsa.size() - 10] == 'A' ? 'B' : 'A';
    EXPECT_EQ(fault_of(*rsa_reader, by_rsa), "signature");
}

TEST(Jwt, TakesOnlyKeysThatFitTheAlgorithm) {
    const SigningKey rsa(EVP_RSA_gen(2048));
    const SigningKey weak(EVP_RSA_gen(1024));
    const SigningKey ed(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    const auto refused = [](JwtAlgorithm algorithm, const std::string& pem) {
        const auto made = JwtVerifier::with_public_key(algorithm, pem, {});
        return !made && made.error().code() == Errc::invalid;
    };
    EXPECT_TRUE(refused(JwtAlgorithm::rs256, ed.public_pem()));
    EXPECT_TRUE(refused(JwtAlgorithm::rs256, weak.public_pem()));
    EXPECT_TRUE(refused(JwtAlgorithm::eddsa, rsa.public_pem()));
    EXPECT_TRUE(refused(JwtAlgorithm::hs256, rsa.public_pem()));
    EXPECT_TRUE(refused(JwtAlgorithm::rs256, "no key"));
    EXPECT_FALSE(JwtVerifier::with_secret("too short", {}));
    EXPECT_FALSE(parse_jwt_algorithm("none"));
    EXPECT_EQ(*parse_jwt_algorithm("EdDSA"), JwtAlgorithm::eddsa);
}

TEST(Jwt, HoldsItsTimesWithTheLeeway) {
    const std::string token = token_of(kHs256, R"({"nbf":1700000000,"exp":1700000100})");
    EXPECT_EQ(fault_of(verifier(), token, kNow), "");
    EXPECT_EQ(fault_of(verifier(), token, kNow - 60'000), "");
    EXPECT_EQ(fault_of(verifier(), token, kNow - 60'001), "not_yet_valid");
    EXPECT_EQ(fault_of(verifier(), token, kNow + 159'999), "");
    EXPECT_EQ(fault_of(verifier(), token, kNow + 160'000), "expired");
    EXPECT_EQ(fault_of(verifier(), token_of(kHs256, R"({"exp":1700000000.5})")), "");
}

TEST(Jwt, RefusesMissingAndAbsurdTimes) {
    for (const char* claims :
         {R"({})", R"({"exp":null})", R"({"exp":"1700000600"})", R"({"exp":-1})", R"({"exp":1e300})",
          R"({"exp":9223372036854775807})", R"({"exp":18446744073709551615})", R"({"exp":1700000600,"nbf":"now"})"}) {
        EXPECT_EQ(fault_of(verifier(), token_of(kHs256, claims)), "malformed") << claims;
    }
}

TEST(Jwt, ChecksIssuerAndAudience) {
    const JwtVerifier reader = verifier({"backstay", "api", 0});
    const auto fault = [&](std::string_view parties) {
        return fault_of(reader, token_of(kHs256, "{\"exp\":1700000600" + std::string(parties) + "}"));
    };
    EXPECT_EQ(fault(R"(,"iss":"backstay","aud":"api")"), "");
    EXPECT_EQ(fault(R"(,"iss":"backstay","aud":["other","api"])"), "");
    EXPECT_EQ(fault(R"(,"aud":"api")"), "issuer");
    EXPECT_EQ(fault(R"(,"iss":"Backstay","aud":"api")"), "issuer");
    EXPECT_EQ(fault(R"(,"iss":["backstay"],"aud":"api")"), "issuer");
    EXPECT_EQ(fault(R"(,"iss":"backstay")"), "audience");
    EXPECT_EQ(fault(R"(,"iss":"backstay","aud":"ap")"), "audience");
    EXPECT_EQ(fault(R"(,"iss":"backstay","aud":["other",7])"), "audience");
}

TEST(Jwt, RefusesWhatIsNoToken) {
    const std::string good = token_of(kHs256, R"({"exp":1700000600})");
    const std::vector<std::string> tokens = {"",
                                             ".",
                                             "..",
                                             "...",
                                             "a.b",
                                             "a.b.c",
                                             good + ".",
                                             "." + good,
                                             good + "=",
                                             good + "\n",
                                             good.substr(0, good.find('.')),
                                             std::string(9000, 'a'),
                                             token_of(kHs256, fmt::format("{:9000}{}", " ", R"({"exp":1700000600})")),
                                             token_of("[]", "{}"),
                                             token_of(kHs256, "[]"),
                                             token_of(kHs256, "{"),
                                             token_of(kHs256, R"({"exp":1700000600,"exp":1800000000})")};
    for (const std::string& token : tokens) EXPECT_EQ(fault_of(verifier(), token), "malformed") << token;
    EXPECT_EQ(fault_of(verifier(), token_of(R"({"alg":"HS256","crit":["b64"],"b64":false})", R"({"exp":1700000600})")),
              "algorithm");
}

TEST(Jwt, RefusesEveryChangedCharacter) {
    const std::string good = token_of(kHs256, R"({"sub":"ann","exp":1700000600})");
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string changed = good;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_NE(fault_of(verifier(), changed), "") << at;
    }
}

}  // namespace
}  // namespace backstay
