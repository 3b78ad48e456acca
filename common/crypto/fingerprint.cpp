#include "common/crypto/fingerprint.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <string>

namespace backstay {
namespace {

void demand(bool ok) {
    if (!ok) std::abort();
}

struct FreeMac {
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};
struct FreeContext {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }

}  // namespace

FingerprintKey FingerprintKey::random() {
    FingerprintKey key;
    demand(RAND_bytes(raw(key.bytes.data()), static_cast<int>(key.bytes.size())) == 1);
    return key;
}

class Fingerprint::Engine {
public:
    explicit Engine(const FingerprintKey& key) {
        const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "GMAC", nullptr));
        demand(mac != nullptr);
        context_.reset(EVP_MAC_CTX_new(mac.get()));
        demand(context_ != nullptr);
        // A fixed nonce is right here: the key serves one stream, there and back, and no value is ever shown.
        std::array<unsigned char, 12> nonce{};
        std::string cipher = "AES-256-GCM";
        const std::array<OSSL_PARAM, 3> parameters = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher.data(), 0),
            OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, nonce.data(), nonce.size()),
            OSSL_PARAM_construct_end(),
        };
        demand(EVP_MAC_init(context_.get(), raw(key.bytes.data()), key.bytes.size(), parameters.data()) == 1);
    }

    void update(ByteSpan bytes) {
        if (!bytes.empty()) demand(EVP_MAC_update(context_.get(), raw(bytes.data()), bytes.size()) == 1);
    }

    FingerprintValue value() {
        FingerprintValue value{};
        std::size_t size = 0;
        demand(EVP_MAC_final(context_.get(), raw(value.data()), &size, value.size()) == 1 && size == value.size());
        return value;
    }

private:
    std::unique_ptr<EVP_MAC_CTX, FreeContext> context_;
};

Fingerprint::Fingerprint(const FingerprintKey& key) : engine_(std::make_unique<Engine>(key)) {}
Fingerprint::~Fingerprint() = default;
Fingerprint::Fingerprint(Fingerprint&&) noexcept = default;
Fingerprint& Fingerprint::operator=(Fingerprint&&) noexcept = default;
void Fingerprint::update(ByteSpan bytes) { engine_->update(bytes); }
FingerprintValue Fingerprint::value() { return engine_->value(); }

Result<> FingerprintSink::write(ByteSpan bytes) {
    fingerprint_.update(bytes);
    return {};
}

}  // namespace backstay
