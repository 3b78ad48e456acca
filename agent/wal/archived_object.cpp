#include "agent/wal/archived_object.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "common/crypto/digest.h"
#include "common/domain/reasons.h"

namespace backstay::wal {
namespace {

constexpr std::uint32_t kSkippable = 0x184D2A50;
constexpr std::size_t kFrameHeadBytes = 8;
// The description is padded with spaces to a multiple of this.
constexpr std::size_t kHeadStep = 512;
constexpr std::uint64_t kSmallFileMax = 1 << 20;
constexpr std::size_t kReadBytes = 256 << 10;
// Larger segments are compressed piece by piece instead of in one go.
constexpr std::size_t kOneGoBytes = 64 << 20;
constexpr std::size_t kOutputBytes = 256 << 10;

Error broken(std::string_view what) {
    return Error(Errc::corrupted, fmt::format("archived WAL: {}", what)).with_reason(reason::kRemoteCorrupt);
}

struct FreeCompressor {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

void put_number(std::byte* to, std::uint32_t number) { std::memcpy(to, &number, sizeof(number)); }
std::uint32_t number_at(const std::byte* from) {
    std::uint32_t number = 0;
    std::memcpy(&number, from, sizeof(number));
    return number;
}

Buffer head_frame(const ObjectHead& head) {
    std::string text = json::encode_text(head);
    const std::size_t whole = (text.size() + kFrameHeadBytes + kHeadStep - 1) / kHeadStep * kHeadStep;
    text.resize(whole - kFrameHeadBytes, ' ');
    Buffer frame(whole);
    frame.resize(kFrameHeadBytes);
    put_number(frame.data(), kSkippable);
    put_number(frame.data() + 4, static_cast<std::uint32_t>(text.size()));
    frame.append(as_bytes(text));
    return frame;
}

class BufferSink final : public Sink {
public:
    explicit BufferSink(Buffer& to) : to_(to) {}
    Result<> write(ByteSpan bytes) override {
        to_.append(bytes);
        return {};
    }

private:
    Buffer& to_;
};

bool is_segment(NameKind kind) { return kind == NameKind::segment || kind == NameKind::partial; }

// The size of the description's frame; nullopt: these bytes begin otherwise.
std::optional<std::size_t> head_frame_bytes(ByteSpan beginning) {
    if (beginning.size() < kFrameHeadBytes || number_at(beginning.data()) != kSkippable) return std::nullopt;
    const std::size_t bytes = kFrameHeadBytes + number_at(beginning.data() + 4);
    return bytes <= kHeadBytesMax ? std::optional(bytes) : std::nullopt;
}

}  // namespace

struct Packer::State {
    std::int32_t level = 1;
    std::unique_ptr<ZSTD_CCtx, FreeCompressor> context;
    Buffer plain;
    Buffer packed;
    Digest digest{DigestKind::blake3};

    // Reads up to `most` bytes behind what `plain` holds, digesting and reading records while they are in the cache.
    Result<std::size_t> read(Source& source, std::size_t most, RecordReader* records);
    Result<> compress(bool last);
    void begin(std::optional<std::uint64_t> expected);
    Result<> pack_segment(Source& source, const PackOrder& order, ObjectHead& head);
    Result<> pack_small(Source& source, const PackOrder& order, ObjectHead& head);
};

Packer::Packer(std::int32_t zstd_level) : state_(std::make_unique<State>()) {
    state_->level = zstd_level;
    state_->context.reset(ZSTD_createCCtx());
    if (!state_->context) std::abort();
}
Packer::~Packer() = default;

void Packer::rest() {
    state_->plain = Buffer();
    state_->packed = Buffer();
    state_->context.reset(ZSTD_createCCtx());
    if (!state_->context) std::abort();
}

Result<std::size_t> Packer::State::read(Source& source, std::size_t most, RecordReader* records) {
    plain.clear();
    std::size_t parsed = 0;
    while (plain.size() < most) {
        plain.reserve(std::min(most, std::max(plain.capacity(), plain.size() + kReadBytes)));
        const std::size_t begin = plain.size();
        const std::size_t wanted = std::min({plain.room().size(), kReadBytes, most - begin});
        const std::size_t count = TRY(source.read(plain.room().first(wanted)));
        if (count == 0) break;
        plain.resize(begin + count);
        digest.update(plain.bytes().subspan(begin, count));
        const std::size_t whole = plain.size() / kPageBytes * kPageBytes;
        if (records != nullptr) records->feed(plain.bytes().subspan(parsed, whole - parsed));
        parsed = whole;
    }
    return plain.size();
}

Result<> Packer::State::compress(bool last) {
    ZSTD_inBuffer in{plain.data(), plain.size(), 0};
    while (true) {
        packed.reserve(packed.size() + kOutputBytes);
        ZSTD_outBuffer out{packed.room().data(), packed.room().size(), 0};
        const std::size_t left = ZSTD_compressStream2(context.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left) != 0U) return Error(Errc::io, fmt::format("zstd: {}", ZSTD_getErrorName(left)));
        packed.resize(packed.size() + out.pos);
        if (last ? left == 0 : in.pos == in.size) return {};
    }
}

void Packer::State::begin(std::optional<std::uint64_t> expected) {
    digest.hex();
    packed.clear();
    ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    if (level == 1) {
        // Level 1 looks for matches of seven bytes, and WAL repeats itself in shorter ones: with five it becomes 7 %
        // smaller, next to level 3 at half of its time. The small table stays in the first cache.
        ZSTD_CCtx_setParameter(context.get(), ZSTD_c_minMatch, 5);
        ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, 13);
    }
    if (!expected) return;
    ZSTD_CCtx_setPledgedSrcSize(context.get(), *expected);
    packed.reserve(ZSTD_compressBound(static_cast<std::size_t>(std::min<std::uint64_t>(*expected, kOneGoBytes))));
}

Result<> Packer::State::pack_segment(Source& source, const PackOrder& order, ObjectHead& head) {
    begin(order.segment_bytes);
    RecordReader records;
    while (head.bytes < order.segment_bytes) {
        const std::size_t piece = std::min<std::size_t>(order.segment_bytes - head.bytes, kOneGoBytes);
        const std::size_t count = TRY(read(source, piece, &records));
        if (head.bytes == 0) {
            const PageHeader page =
                TRY(check_first_page(plain.bytes(), order.name, order.system_id, order.segment_bytes));
            head.start_lsn = format_lsn(page.address);
            head.page_magic = page.magic;
        }
        head.bytes += count;
        if (count < piece) {
            return Error(Errc::corrupted, fmt::format("{} has {} bytes, a segment has {}", order.name.text, head.bytes,
                                                      order.segment_bytes));
        }
        TRY(compress(head.bytes == order.segment_bytes));
    }
    std::byte more{};
    if (TRY(source.read({&more, 1})) != 0) {
        return Error(Errc::corrupted, fmt::format("{} is longer than a segment", order.name.text));
    }
    if (records.commits().first) head.first_commit = Timestamp{*records.commits().first};
    if (records.commits().last) head.last_commit = Timestamp{*records.commits().last};
    if (records.commits().end) {
        const Lsn start = TRY(parse_lsn(*head.start_lsn));
        head.commits_end = format_lsn(start + *records.commits().end);
    }
    return {};
}

Result<> Packer::State::pack_small(Source& source, const PackOrder& order, ObjectHead& head) {
    begin(std::nullopt);
    head.bytes = TRY(read(source, kSmallFileMax + 1, nullptr));
    if (head.bytes > kSmallFileMax) {
        return Error(Errc::invalid, fmt::format("{} has more than {} bytes", order.name.text, kSmallFileMax));
    }
    return compress(true);
}

Result<PackedObject> Packer::pack(Source& plain, const PackOrder& order) {
    PackedObject object;
    object.name = order.name;
    object.head.name = order.name.text;
    object.head.system_id = fmt::format("{}", order.system_id);
    object.head.segment_bytes = order.segment_bytes;
    TRY(is_segment(order.name.kind) ? state_->pack_segment(plain, order, object.head)
                                    : state_->pack_small(plain, order, object.head));
    object.head.blake3 = state_->digest.hex();
    const Buffer head = head_frame(object.head);
    const std::size_t whole = head.size() + state_->packed.size();
    if (order.key == nullptr) {
        object.bytes = Buffer(whole);
        object.bytes.append(head.bytes());
        object.bytes.append(state_->packed.bytes());
        return object;
    }
    object.bytes = Buffer(static_cast<std::size_t>(encrypted_size(whole)));
    BufferSink stored(object.bytes);
    EncryptingSink encrypting(*order.key, stored);
    TRY(encrypting.write(head.bytes()));
    TRY(encrypting.write(state_->packed.bytes()));
    TRY(encrypting.finish());
    return object;
}

Result<ObjectHead> read_object_head(ByteSpan beginning) {
    const auto frame = head_frame_bytes(beginning);
    if (!frame || beginning.size() < *frame) return broken("it does not begin with a description");
    auto head = json::decode_text<ObjectHead>(as_text(beginning.subspan(kFrameHeadBytes, *frame - kFrameHeadBytes)),
                                              json::kLenient);
    if (!head) return broken(head.error().message());
    const bool digested = head->format == 1 ? head->blake2b && !head->blake3 : head->blake3 && !head->blake2b;
    const bool known = (head->format == 1 || head->format == 2) && digested && head->digest().size() == 64 &&
                       parse_wal_name(head->name) && (!head->start_lsn || parse_lsn(*head->start_lsn));
    if (!known) return broken("its description is of no kind that is known here");
    return head;
}

Result<ObjectHead> read_stored_head(ByteSpan bytes, const StreamKey* key) {
    if (encrypted_key_id(bytes.first(std::min(bytes.size(), kEncryptedHeaderBytes))).empty()) {
        return read_object_head(bytes.first(std::min(bytes.size(), kHeadBytesMax)));
    }
    if (key == nullptr) {
        return Error(Errc::denied, "archived WAL is encrypted, and there is no key")
            .with_reason(reason::kEncryptionKeyMissing);
    }
    Buffer plain;
    BufferSink beginning(plain);
    DecryptingSink decrypting(*key, beginning);
    const bool whole = bytes.size() < kEncryptedHeadBytes;
    TRY(decrypting.write(bytes.first(std::min(bytes.size(), kEncryptedHeadBytes))));
    if (whole) TRY(decrypting.finish());
    return read_object_head(plain.bytes().first(std::min(plain.size(), kHeadBytesMax)));
}

struct UnpackingSink::State {
    explicit State(Sink& sink) : to(sink), context(ZSTD_createDCtx()), output(kOutputBytes) {
        if (!context) std::abort();
        ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 27);
    }
    Result<> unpack(ByteSpan bytes);

    Sink& to;
    std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context;
    Buffer beginning;
    std::optional<ObjectHead> head;
    Buffer output;
    std::optional<Digest> digest;
    std::uint64_t bytes = 0;
    bool frame_ended = false;
};

UnpackingSink::UnpackingSink(Sink& to) : state_(std::make_unique<State>(to)) {}
UnpackingSink::~UnpackingSink() = default;

Result<> UnpackingSink::State::unpack(ByteSpan packed) {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    while (in.pos < in.size) {
        if (frame_ended) return broken("something follows its end");
        ZSTD_outBuffer out{output.data(), output.capacity(), 0};
        std::size_t left = 0;
        do {
            out.pos = 0;
            left = ZSTD_decompressStream(context.get(), &out, &in);
            if (ZSTD_isError(left) != 0U) return broken(ZSTD_getErrorName(left));
            const ByteSpan plain(output.data(), out.pos);
            bytes += plain.size();
            if (bytes > head->bytes) return broken("it holds more than its description says");
            digest->update(plain);
            if (!plain.empty()) TRY(to.write(plain));
        } while (left != 0 && out.pos == out.size);
        frame_ended = left == 0;
    }
    return {};
}

Result<> UnpackingSink::write(ByteSpan bytes) {
    State& state = *state_;
    while (!state.head) {
        const auto frame = head_frame_bytes(state.beginning.bytes());
        if (!frame && state.beginning.size() >= kFrameHeadBytes) return broken("it does not begin with a description");
        const std::size_t wanted = frame.value_or(kFrameHeadBytes) - state.beginning.size();
        if (frame && wanted == 0) {
            state.head = TRY(read_object_head(state.beginning.bytes()));
            state.digest.emplace(state.head->blake3 ? DigestKind::blake3 : DigestKind::blake2b);
            break;
        }
        if (bytes.empty()) return {};
        const std::size_t count = std::min(wanted, bytes.size());
        state.beginning.append(bytes.first(count));
        bytes = bytes.subspan(count);
    }
    return state.unpack(bytes);
}

Result<> UnpackingSink::finish() {
    State& state = *state_;
    if (!state.head) TRY(write({}));
    if (!state.head || !state.frame_ended) return broken("it ends before its frame does");
    if (state.bytes != state.head->bytes || state.digest->hex() != state.head->digest()) {
        return broken("its content is not what its description says");
    }
    return {};
}

const ObjectHead& UnpackingSink::head() const { return *state_->head; }

Result<ObjectHead> unpack(ByteSpan stored, const StreamKey* key, Sink& to) {
    UnpackingSink unpacking(to);
    std::optional<DecryptingSink> decrypting;
    if (key != nullptr) decrypting.emplace(*key, unpacking);
    Sink& first = decrypting ? static_cast<Sink&>(*decrypting) : unpacking;
    TRY(first.write(stored));
    TRY(first.finish());
    return unpacking.head();
}

Result<bool> is_content(const PackedObject& object, const std::string& digest, const StreamKey* key) {
    if (object.head.digest() == digest) return true;
    DigestSink other(object.head.blake3 ? DigestKind::blake2b : DigestKind::blake3);
    TRY(unpack(object.bytes.bytes(), key, other));
    return other.hex() == digest;
}

}  // namespace backstay::wal
