#include "common/crypto/blake3.h"

#include <algorithm>
#include <cstring>
#include <utility>

// Names as in the paper ("BLAKE3: one function, fast everywhere", section 2). Written once over a word W: one number,
// or a vector of them with one lane for each chunk. Everything is inlined into functions that are compiled for the
// processor that they ask for.
namespace backstay {
namespace {

using Words = Blake3::Words;
template <std::size_t... I>
using Indices = std::index_sequence<I...>;

constexpr Words kIv = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kChunkBlocks = 16;
constexpr std::uint32_t kChunkStart = 1;
constexpr std::uint32_t kChunkEnd = 2;
constexpr std::uint32_t kParent = 4;
constexpr std::uint32_t kRoot = 8;

using Order = std::array<std::size_t, 16>;
constexpr Order kPermutation = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

// Which word of the message comes at which place in each of the seven rounds.
constexpr std::array<Order, 7> orders() {
    std::array<Order, 7> orders{};
    for (std::size_t i = 0; i < 16; ++i) orders[0][i] = i;
    for (std::size_t round = 1; round < 7; ++round) {
        for (std::size_t i = 0; i < 16; ++i) orders[round][i] = orders[round - 1][kPermutation[i]];
    }
    return orders;
}
constexpr std::array<Order, 7> kOrders = orders();

template <typename W>
[[gnu::always_inline]] inline void mix(W& a, W& b, W& c, W& d, const W& x, const W& y) {
    a = a + b + x;
    d = d ^ a;
    d = (d >> 16) | (d << 16);
    c = c + d;
    b = b ^ c;
    b = (b >> 12) | (b << 20);
    a = a + b + y;
    d = d ^ a;
    d = (d >> 8) | (d << 24);
    c = c + d;
    b = b ^ c;
    b = (b >> 7) | (b << 25);
}

template <std::size_t Round, typename W>
[[gnu::always_inline]] inline void round(W* v, const W* m) {
    constexpr Order kAt = kOrders[Round];
    mix(v[0], v[4], v[8], v[12], m[kAt[0]], m[kAt[1]]);
    mix(v[1], v[5], v[9], v[13], m[kAt[2]], m[kAt[3]]);
    mix(v[2], v[6], v[10], v[14], m[kAt[4]], m[kAt[5]]);
    mix(v[3], v[7], v[11], v[15], m[kAt[6]], m[kAt[7]]);
    mix(v[0], v[5], v[10], v[15], m[kAt[8]], m[kAt[9]]);
    mix(v[1], v[6], v[11], v[12], m[kAt[10]], m[kAt[11]]);
    mix(v[2], v[7], v[8], v[13], m[kAt[12]], m[kAt[13]]);
    mix(v[3], v[4], v[9], v[14], m[kAt[14]], m[kAt[15]]);
}

struct Block {
    std::uint32_t bytes = kBlockBytes;
    std::uint32_t flags = 0;
};

// Replaces the chaining value `h`.
template <typename W, std::size_t... Round>
[[gnu::always_inline]] inline void compress(W* h, const W* m, const W& low, const W& high, Block block,
                                            Indices<Round...>) {
    W v[16] = {h[0],
               h[1],
               h[2],
               h[3],
               h[4],
               h[5],
               h[6],
               h[7],
               W{} + kIv[0],
               W{} + kIv[1],
               W{} + kIv[2],
               W{} + kIv[3],
               low,
               high,
               W{} + block.bytes,
               W{} + block.flags};
    (round<Round>(v, m), ...);
    for (std::size_t i = 0; i < 8; ++i) h[i] = v[i] ^ v[i + 8];
}
constexpr auto kRounds = std::make_index_sequence<7>();

// One block of one chunk, or one parent.
void compress_one(Words& h, const std::byte* bytes, std::uint64_t chunk, Block block) {
    std::uint32_t m[16];
    std::memcpy(m, bytes, sizeof(m));
    compress(h.data(), m, static_cast<std::uint32_t>(chunk), static_cast<std::uint32_t>(chunk >> 32U), block, kRounds);
}

Words parent(const Words& left, const Words& right, std::uint32_t flags) {
    std::array<std::byte, kBlockBytes> both{};
    std::memcpy(both.data(), left.data(), sizeof(left));
    std::memcpy(both.data() + sizeof(left), right.data(), sizeof(right));
    Words h = kIv;
    compress_one(h, both.data(), 0, {kBlockBytes, kParent | flags});
    return h;
}

// At most 1024 bytes. A last block that is not whole is filled up with zeros.
Words chunk(ByteSpan bytes, std::uint64_t number, std::uint32_t flags_at_end) {
    Words h = kIv;
    std::uint32_t flags = kChunkStart;
    while (true) {
        std::array<std::byte, kBlockBytes> block{};
        const std::size_t count = std::min(bytes.size(), kBlockBytes);
        std::copy_n(bytes.begin(), count, block.begin());
        bytes = bytes.subspan(count);
        if (bytes.empty()) flags |= kChunkEnd | flags_at_end;
        compress_one(h, block.data(), number, {static_cast<std::uint32_t>(count), flags});
        if (bytes.empty()) return h;
        flags = 0;
    }
}

template <std::size_t N>
struct Lanes {
    typedef std::uint32_t Vector __attribute__((vector_size(N * sizeof(std::uint32_t))));
};

// Interleaves two rows: a0 b0 a1 b1 … into `low` and, from their middles, `high`.
template <std::size_t N, typename V, std::size_t... I>
[[gnu::always_inline]] inline void interleave(const V& a, const V& b, V& low, V& high, Indices<I...>) {
    low = __builtin_shufflevector(a, b, static_cast<int>(I / 2 + (I % 2) * N)...);
    high = __builtin_shufflevector(a, b, static_cast<int>(N / 2 + I / 2 + (I % 2) * N)...);
}

template <std::size_t N, typename V, std::size_t... Pair>
[[gnu::always_inline]] inline void weave(V* rows, Indices<Pair...>) {
    V woven[N];
    (interleave<N>(rows[Pair], rows[Pair + N / 2], woven[2 * Pair], woven[2 * Pair + 1], std::make_index_sequence<N>()),
     ...);
    ((rows[2 * Pair] = woven[2 * Pair], rows[2 * Pair + 1] = woven[2 * Pair + 1]), ...);
}

// A square of N × N: as many perfect shuffles as N has bits.
template <std::size_t N, typename V>
[[gnu::always_inline]] inline void transpose(V* rows) {
    constexpr auto kPairs = std::make_index_sequence<N / 2>();
    weave<N>(rows, kPairs);
    weave<N>(rows, kPairs);
    if constexpr (N >= 8) weave<N>(rows, kPairs);
    if constexpr (N >= 16) weave<N>(rows, kPairs);
}

// Word i of the block of every chunk in m[i].
template <std::size_t N, typename V, std::size_t... I, std::size_t... Square>
[[gnu::always_inline]] inline void load(V* m, const std::byte* at, Indices<I...>, Indices<Square...>) {
    constexpr std::size_t kChunk = kChunkBlocks * kBlockBytes;
    (std::memcpy(&m[I], at + (I % N) * kChunk + (I / N) * sizeof(V), sizeof(V)), ...);
    (transpose<N>(m + Square * N), ...);
}

// The chaining values of pairs of neighbours as one message for each pair; lanes above are not looked at again.
template <std::size_t N, typename V, std::size_t... I>
[[gnu::always_inline]] inline void pair_up(const V* h, V* m, Indices<I...>) {
    for (std::size_t i = 0; i < 8; ++i) {
        m[i] = __builtin_shufflevector(h[i], h[i], static_cast<int>((2 * I) % N)...);
        m[8 + i] = __builtin_shufflevector(h[i], h[i], static_cast<int>((2 * I + 1) % N)...);
    }
}

// The chaining value above N whole chunks.
template <std::size_t N>
[[gnu::always_inline]] inline void subtree(const std::byte* chunks, std::uint64_t first, Words& out) {
    using V = typename Lanes<N>::Vector;
    V low{};
    V high{};
    for (std::size_t i = 0; i < N; ++i) {
        low[i] = static_cast<std::uint32_t>(first + i);
        high[i] = static_cast<std::uint32_t>((first + i) >> 32U);
    }
    V h[8];
    for (std::size_t i = 0; i < 8; ++i) h[i] = V{} + kIv[i];
    for (std::size_t block = 0; block < kChunkBlocks; ++block) {
        V m[16];
        load<N>(m, chunks + block * kBlockBytes, std::make_index_sequence<16>(), std::make_index_sequence<16 / N>());
        const std::uint32_t start = block == 0 ? kChunkStart : 0;
        const std::uint32_t end = block == kChunkBlocks - 1 ? kChunkEnd : 0;
        compress(h, m, low, high, {kBlockBytes, start | end}, kRounds);
    }
    for (std::size_t left = N; left > 1; left /= 2) {
        V m[16];
        pair_up<N>(h, m, std::make_index_sequence<N>());
        for (std::size_t i = 0; i < 8; ++i) h[i] = V{} + kIv[i];
        compress(h, m, V{}, V{}, {kBlockBytes, kParent}, kRounds);
    }
    for (std::size_t i = 0; i < 8; ++i) out[i] = h[i][0];
}

void subtree_of_4(const std::byte* chunks, std::uint64_t first, Words& out) { subtree<4>(chunks, first, out); }
#if defined(__x86_64__)
[[gnu::target("avx2")]] void subtree_of_8(const std::byte* chunks, std::uint64_t first, Words& out) {
    subtree<8>(chunks, first, out);
}
[[gnu::target("avx512f,avx512vl")]] void subtree_of_16(const std::byte* chunks, std::uint64_t first, Words& out) {
    subtree<16>(chunks, first, out);
}
#endif

}  // namespace

std::vector<std::size_t> Blake3::widths() {
    std::vector<std::size_t> widths = {4};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) widths.push_back(8);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) widths.push_back(16);
#endif
    return widths;
}

Blake3::Blake3() : Blake3(widths().back()) {}

Blake3::Blake3(std::size_t width) : width_(width), subtree_(subtree_of_4) {
#if defined(__x86_64__)
    if (width == 8) subtree_ = subtree_of_8;
    if (width == 16) subtree_ = subtree_of_16;
#endif
}

// A whole subtree: what is complete with it is merged.
void Blake3::add(Words value, std::uint64_t chunks) {
    chunks_ += chunks;
    for (std::uint64_t count = chunks_ / chunks; count % 2 == 0; count /= 2) value = parent(stack_[--depth_], value, 0);
    stack_[depth_++] = value;
}

void Blake3::add_subtree(const std::byte* chunks) {
    Words value{};
    subtree_(chunks, chunks_, value);
    add(value, width_);
}

// Something always stays for finish(): the root is not digested as other parents are.
void Blake3::update(ByteSpan bytes) {
    const std::size_t whole = width_ * kChunkBytes;
    while (!bytes.empty()) {
        if (kept_ == whole) {
            add_subtree(tail_.data());
            kept_ = 0;
        }
        if (kept_ == 0 && bytes.size() > whole) {
            add_subtree(bytes.data());
            bytes = bytes.subspan(whole);
            continue;
        }
        const std::size_t count = std::min(bytes.size(), whole - kept_);
        std::memcpy(tail_.data() + kept_, bytes.data(), count);
        kept_ += count;
        bytes = bytes.subspan(count);
    }
}

std::array<std::byte, Blake3::kBytes> Blake3::finish() {
    ByteSpan rest(tail_.data(), kept_);
    for (; rest.size() > kChunkBytes; rest = rest.subspan(kChunkBytes)) {
        add(chunk(rest.first(kChunkBytes), chunks_, 0), 1);
    }
    Words value = chunk(rest, chunks_, depth_ == 0 ? kRoot : 0);
    while (depth_ > 0) {
        --depth_;
        value = parent(stack_[depth_], value, depth_ == 0 ? kRoot : 0);
    }
    chunks_ = 0;
    kept_ = 0;
    std::array<std::byte, kBytes> digest{};
    std::memcpy(digest.data(), value.data(), digest.size());
    return digest;
}

}  // namespace backstay
