#include "common/crypto/secretstream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

#include "common/domain/reasons.h"

namespace backstay {

namespace {

constexpr std::string_view kMagic = "BACKSTAY";
constexpr unsigned char kVersion = 1;
constexpr std::size_t kKeyIdAt = 9;
constexpr std::size_t kStreamHeaderAt = 17;
constexpr std::size_t kPlainChunk = 65'536;
constexpr std::size_t kSealedChunk = kPlainChunk + crypto_secretstream_xchacha20poly1305_ABYTES;
static_assert(kStreamHeaderAt + crypto_secretstream_xchacha20poly1305_HEADERBYTES == kEncryptedHeaderBytes);

using Head = std::array<unsigned char, kEncryptedHeaderBytes>;

const unsigned char* raw(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

void start_sodium() {
    // Safe to call often and from any thread; a failure means that the kernel gives no randomness.
    if (sodium_init() < 0) std::abort();
}

Error damaged(std::string_view how) {
    return Error(Errc::corrupted, fmt::format("encrypted stream {}", how)).with_reason(reason::kDecryptFailed);
}

std::string hex_of_key_id(const unsigned char* head) {
    return fmt::format("{:02x}", fmt::join(head + kKeyIdAt, head + kStreamHeaderAt, ""));
}

// Opens chunk by chunk; knows header, order and end.
class Opener {
public:
    explicit Opener(const StreamKey& key) : key_(key) { start_sodium(); }
    ~Opener() { sodium_memzero(&state_, sizeof(state_)); }
    Opener(const Opener&) = delete;
    Opener& operator=(const Opener&) = delete;

    bool started() const { return started_; }
    bool ended() const { return ended_; }

    Result<> start(ByteSpan head) {
        std::memcpy(head_.data(), head.data(), head_.size());
        if (std::memcmp(head_.data(), kMagic.data(), kMagic.size()) != 0) return damaged("has no header of ours");
        if (head_[kMagic.size()] != kVersion) {
            return damaged(fmt::format("has version {}, which is not known here", head_[kMagic.size()]));
        }
        if (hex_of_key_id(head_.data()) != key_.id()) {
            return Error(Errc::denied, fmt::format("encrypted under key {}, the key at hand is {}",
                                                   hex_of_key_id(head_.data()), key_.id()))
                .with_reason(reason::kEncryptionKeyMissing);
        }
        if (crypto_secretstream_xchacha20poly1305_init_pull(&state_, head_.data() + kStreamHeaderAt,
                                                            key_.bytes().data()) != 0) {
            return damaged("has a bad header");
        }
        started_ = true;
        return {};
    }

    // `sealed` is one chunk; its plain text replaces `plain`.
    Result<> open(ByteSpan sealed, std::vector<std::byte>& plain) {
        if (ended_) return damaged("goes on behind its end");
        if (sealed.size() < crypto_secretstream_xchacha20poly1305_ABYTES) return damaged("is cut");
        plain.resize(sealed.size() - crypto_secretstream_xchacha20poly1305_ABYTES);
        unsigned char tag = 0;
        if (crypto_secretstream_xchacha20poly1305_pull(&state_, raw(plain.data()), nullptr, &tag, raw(sealed.data()),
                                                       sealed.size(), head_.data(), head_.size()) != 0) {
            return damaged("was changed, or cut");
        }
        ended_ = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
        if (!ended_ && sealed.size() != kSealedChunk) return damaged("has a short chunk inside");
        return {};
    }

private:
    const StreamKey key_;
    Head head_{};
    crypto_secretstream_xchacha20poly1305_state state_{};
    bool started_ = false;
    bool ended_ = false;
};

}  // namespace

std::string encrypted_key_id(ByteSpan beginning) {
    if (beginning.size() < kStreamHeaderAt || as_text(beginning.first(kMagic.size())) != kMagic) return "";
    return hex_of_key_id(raw(beginning.data()));
}

std::uint64_t encrypted_size(std::uint64_t plain_bytes) {
    // A full last chunk is the last; only nothing at all needs an empty one.
    const std::uint64_t chunks = plain_bytes == 0 ? 1 : (plain_bytes + kPlainChunk - 1) / kPlainChunk;
    return kEncryptedHeaderBytes + plain_bytes + chunks * crypto_secretstream_xchacha20poly1305_ABYTES;
}

struct EncryptingSink::State {
    State(const StreamKey& key, Sink& sink) : to(sink) {
        start_sodium();
        std::memcpy(head.data(), kMagic.data(), kMagic.size());
        head[kMagic.size()] = kVersion;
        std::array<unsigned char, 32> digest{};
        crypto_generichash(digest.data(), digest.size(), key.bytes().data(), key.bytes().size(), nullptr, 0);
        std::memcpy(head.data() + kKeyIdAt, digest.data(), kStreamHeaderAt - kKeyIdAt);
        crypto_secretstream_xchacha20poly1305_init_push(&stream, head.data() + kStreamHeaderAt, key.bytes().data());
        plain.reserve(kPlainChunk);
        sealed.resize(kSealedChunk);
    }
    ~State() {
        sodium_memzero(&stream, sizeof(stream));
        sodium_memzero(plain.data(), plain.size());
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Result<> seal(unsigned char tag) {
        if (!head_written) TRY(to.write(std::as_bytes(std::span(head))));
        head_written = true;
        unsigned long long size = 0;
        crypto_secretstream_xchacha20poly1305_push(&stream, raw(sealed.data()), &size, raw(plain.data()), plain.size(),
                                                   head.data(), head.size(), tag);
        plain.clear();
        return to.write(ByteSpan(sealed).first(static_cast<std::size_t>(size)));
    }

    Sink& to;
    Head head{};
    bool head_written = false;
    crypto_secretstream_xchacha20poly1305_state stream{};
    std::vector<std::byte> plain;
    std::vector<std::byte> sealed;
};

EncryptingSink::EncryptingSink(const StreamKey& key, Sink& to) : state_(std::make_unique<State>(key, to)) {}
EncryptingSink::~EncryptingSink() = default;

Result<> EncryptingSink::write(ByteSpan bytes) {
    while (!bytes.empty()) {
        // A full chunk waits for the byte after it: the last chunk must be known as such.
        if (state_->plain.size() == kPlainChunk) TRY(state_->seal(crypto_secretstream_xchacha20poly1305_TAG_MESSAGE));
        const std::size_t count = std::min(bytes.size(), kPlainChunk - state_->plain.size());
        state_->plain.insert(state_->plain.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
    }
    return {};
}

Result<> EncryptingSink::finish() {
    TRY(state_->seal(crypto_secretstream_xchacha20poly1305_TAG_FINAL));
    return state_->to.finish();
}

struct DecryptingSink::State {
    State(const StreamKey& key, Sink& sink) : opener(key), to(sink) {}

    std::size_t wanted() const { return opener.started() ? kSealedChunk : kEncryptedHeaderBytes; }
    Result<> take_piece() {
        if (!opener.started()) {
            TRY(opener.start(piece));
        } else {
            TRY(opener.open(piece, plain));
            if (!plain.empty()) TRY(to.write(plain));
        }
        piece.clear();
        return {};
    }

    Opener opener;
    Sink& to;
    std::vector<std::byte> piece;
    std::vector<std::byte> plain;
};

DecryptingSink::DecryptingSink(const StreamKey& key, Sink& to) : state_(std::make_unique<State>(key, to)) {}
DecryptingSink::~DecryptingSink() = default;

Result<> DecryptingSink::write(ByteSpan bytes) {
    while (!bytes.empty()) {
        if (state_->opener.ended()) return damaged("goes on behind its end");
        const std::size_t count = std::min(bytes.size(), state_->wanted() - state_->piece.size());
        state_->piece.insert(state_->piece.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        if (state_->piece.size() == state_->wanted()) TRY(state_->take_piece());
    }
    return {};
}

Result<> DecryptingSink::finish() {
    if (!state_->opener.started()) return damaged("is cut");
    if (!state_->piece.empty()) TRY(state_->take_piece());
    if (!state_->opener.ended()) return damaged("is cut");
    return state_->to.finish();
}

struct DecryptingSource::State {
    State(const StreamKey& key, Source& source) : opener(key), from(source) {}

    // As many bytes as there are, up to `size`.
    Result<> fill(std::size_t size) {
        piece.resize(size);
        std::size_t done = 0;
        while (done < size) {
            const std::size_t count = TRY(from.read(MutableByteSpan(piece).subspan(done)));
            if (count == 0) break;
            done += count;
        }
        piece.resize(done);
        return {};
    }

    Result<> next_chunk() {
        if (!opener.started()) {
            TRY(fill(kEncryptedHeaderBytes));
            if (piece.size() < kEncryptedHeaderBytes) return damaged("is cut");
            TRY(opener.start(piece));
        }
        TRY(fill(kSealedChunk));
        TRY(opener.open(piece, plain));
        position = 0;
        if (!opener.ended()) return {};
        TRY(fill(1));
        return piece.empty() ? Result<>() : damaged("goes on behind its end");
    }

    Opener opener;
    Source& from;
    std::vector<std::byte> piece;
    std::vector<std::byte> plain;
    std::size_t position = 0;
};

DecryptingSource::DecryptingSource(const StreamKey& key, Source& from) : state_(std::make_unique<State>(key, from)) {}
DecryptingSource::~DecryptingSource() = default;

Result<std::size_t> DecryptingSource::read(MutableByteSpan buffer) {
    while (state_->position == state_->plain.size()) {
        if (state_->opener.ended()) return std::size_t{0};
        TRY(state_->next_chunk());
    }
    const std::size_t count = std::min(buffer.size(), state_->plain.size() - state_->position);
    std::memcpy(buffer.data(), state_->plain.data() + state_->position, count);
    state_->position += count;
    return count;
}

}  // namespace backstay
