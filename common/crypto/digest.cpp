#include "common/crypto/digest.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>

#include "common/crypto/blake3.h"
#include "common/hex.h"

namespace backstay {
namespace {

constexpr std::size_t kBlakeBytes = 32;  // 2b and 3

std::string to_hex(std::span<const unsigned char> bytes) {
    std::string hex;
    hex.reserve(bytes.size() * 2);
    append_hex(hex, std::as_bytes(bytes));
    return hex;
}

void demand(bool ok) {
    if (!ok) std::abort();
}

struct FreeMd {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

class Digest::Engine {
public:
    explicit Engine(DigestKind kind) : kind_(kind) {
        if (kind == DigestKind::sha1 || kind == DigestKind::sha256) {
            // Fetched once: an implicit fetch at each start would cost more than a small file's digest.
            md_.reset(EVP_MD_fetch(nullptr, kind == DigestKind::sha1 ? "SHA1" : "SHA256", nullptr));
            context_.reset(EVP_MD_CTX_new());
            demand(md_ != nullptr && context_ != nullptr);
        }
        if (kind == DigestKind::blake3) blake3_.emplace();
        restart();
    }

    void update(ByteSpan bytes) {
        if (blake3_) {
            blake3_->update(bytes);
        } else if (kind_ == DigestKind::blake2b) {
            const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
            demand(crypto_generichash_update(&state_, data, bytes.size()) == 0);
        } else {
            demand(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
        }
    }

    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
        unsigned size = kBlakeBytes;
        if (blake3_) {
            const auto digest = blake3_->finish();
            std::memcpy(out.data(), digest.data(), digest.size());
        } else if (kind_ == DigestKind::blake2b) {
            demand(crypto_generichash_final(&state_, out.data(), kBlakeBytes) == 0);
        } else {
            demand(EVP_DigestFinal_ex(context_.get(), out.data(), &size) == 1);
        }
        restart();
        return to_hex(std::span(out).first(size));
    }

private:
    void restart() {
        if (blake3_) return;
        if (kind_ == DigestKind::blake2b) {
            demand(sodium_init() >= 0 && crypto_generichash_init(&state_, nullptr, 0, kBlakeBytes) == 0);
        } else {
            demand(EVP_DigestInit_ex2(context_.get(), md_.get(), nullptr) == 1);
        }
    }

    DigestKind kind_;
    std::optional<Blake3> blake3_;
    std::unique_ptr<EVP_MD, FreeMd> md_;
    std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
    crypto_generichash_state state_{};
};

Digest::Digest(DigestKind kind) : engine_(std::make_unique<Engine>(kind)) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
void Digest::update(ByteSpan bytes) { engine_->update(bytes); }
std::string Digest::hex() { return engine_->hex(); }

std::string digest_hex(DigestKind kind, ByteSpan bytes) {
    // Each request has a credential to digest, and to set OpenSSL up costs more than to digest it.
    if (kind == DigestKind::sha256) {
        thread_local Digest sha256(DigestKind::sha256);
        sha256.update(bytes);
        return sha256.hex();
    }
    Digest digest(kind);
    digest.update(bytes);
    return digest.hex();
}

Result<> DigestingSink::write(ByteSpan bytes) {
    digest_.update(bytes);
    bytes_ += bytes.size();
    return next_.write(bytes);
}

Result<> DigestSink::write(ByteSpan bytes) {
    digest_.update(bytes);
    bytes_ += bytes.size();
    return {};
}

}  // namespace backstay
