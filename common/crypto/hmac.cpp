#include "common/crypto/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdlib>

namespace backstay {

namespace {

std::string hmac(const EVP_MD* kind, std::string_view key, std::string_view message) {
    std::string mac(static_cast<std::size_t>(EVP_MD_get_size(kind)), '\0');
    unsigned size = 0;
    const auto* text = reinterpret_cast<const unsigned char*>(message.data());
    auto* out = reinterpret_cast<unsigned char*>(mac.data());
    // An empty key must still be a key: OpenSSL takes a null pointer for "the one of the last call".
    const char* secret = key.empty() ? "" : key.data();
    if (HMAC(kind, secret, static_cast<int>(key.size()), text, message.size(), out, &size) == nullptr ||
        size != mac.size()) {
        std::abort();
    }
    return mac;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view message) { return hmac(EVP_sha256(), key, message); }

std::string hmac_sha1(std::string_view key, std::string_view message) { return hmac(EVP_sha1(), key, message); }

bool constant_time_equal(std::string_view a, std::string_view b) {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace backstay
