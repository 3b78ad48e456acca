// Any octets as a token, and as the claims of a token that is genuinely signed.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/crypto/base64url.h"
#include "common/crypto/hmac.h"
#include "common/crypto/jwt.h"

namespace backstay {

namespace {

constexpr std::string_view kSecret = "a secret for fuzzing, 32 bytes!!";
constexpr TimeMs kNow = 1'700'000'000'000;

const JwtVerifier& verifier() {
    static const JwtVerifier kVerifier =
        std::move(JwtVerifier::with_secret(std::string(kSecret), {"backstay", "api", 60'000})).value();
    return kVerifier;
}

void demand(bool holds) {
    if (!holds) std::abort();
}

void try_input(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto taken = verifier().verify(text, kNow);
    if (taken) {
        const std::size_t last = text.rfind('.');
        demand(text.substr(last + 1) == base64url_encode(as_bytes(hmac_sha256(kSecret, text.substr(0, last)))));
    } else {
        demand(taken.error().code() == Errc::denied && taken.error().facts().count("token") == 1);
    }
    std::string token = base64url_encode(as_bytes(R"({"alg":"HS256"})")) + "." + base64url_encode(as_bytes(text));
    token += "." + base64url_encode(as_bytes(hmac_sha256(kSecret, token)));
    const auto claims = verifier().verify(token, kNow);
    if (claims) demand(claims->contains("exp") && claims->contains("iss") && claims->contains("aud"));
}

}  // namespace

}  // namespace backstay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    backstay::try_input(data, size);
    return 0;
}
