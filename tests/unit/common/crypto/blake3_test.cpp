#include "common/crypto/blake3.h"

#include <gtest/gtest.h>

#include <random>

#include "common/crypto/digest.h"

namespace backstay {
namespace {

struct Vector {
    std::size_t bytes;
    std::string_view digest;
};
// The input of the published vectors (bytes 0, 1, … 250, and again), as b3sum 1.2 digests it.
constexpr Vector kVectors[] = {
    {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
    {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
    {63, "e9bc37a594daad83be9470df7f7b3798297c3d834ce80ba85d6e207627b7db7b"},
    {64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98"},
    {65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee"},
    {127, "d81293fda863f008c09e92fc382a81f5a0b4a1251cba1634016a0f86a6bd640d"},
    {128, "f17e570564b26578c33bb7f44643f539624b05df1a76c81f30acd548c44b45ef"},
    {1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"},
    {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
    {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
    {2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"},
    {2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"},
    {3072, "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2"},
    {4096, "015094013f57a5277b59d8475c0501042c0b642e531b0a1c8f58d2163229e969"},
    {4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995"},
    {5120, "9cadc15fed8b5d854562b26a9536d9707cadeda9b143978f319ab34230535833"},
    {8192, "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63"},
    {8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b"},
    {16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4"},
    {16385, "1dabe216be2578830263b049de1639f39f05a4da616b9b78c7a5e4e41662fd1f"},
    {31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"},
    {32769, "da589428d9b32c97658a04a21c0c8a38aad2ac402120819d956fd6d62bbfa36e"},
    {65537, "7c99f9840a73dfcb6e5bfe4ff6d1558acab7e015640790c26411818bdbe17eca"},
    {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"},
};

std::string input_of(std::size_t bytes) {
    std::string input(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) input[i] = static_cast<char>(i % 251);
    return input;
}

std::string hex(const std::array<std::byte, Blake3::kBytes>& digest) {
    std::string text;
    for (const std::byte byte : digest) {
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4U];
        text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15U];
    }
    return text;
}

TEST(Blake3, AgreesWithThePublishedVectorsAtEveryWidth) {
    for (const std::size_t width : Blake3::widths()) {
        Blake3 blake3(width);
        for (const Vector& vector : kVectors) {
            blake3.update(as_bytes(input_of(vector.bytes)));
            EXPECT_EQ(hex(blake3.finish()), vector.digest) << vector.bytes << " bytes, width " << width;
        }
    }
}

TEST(Blake3, IsTheSameInPiecesOfAnySize) {
    const std::string input = input_of(1'000'003);
    Blake3 whole(4);
    whole.update(as_bytes(input));
    const auto expected = whole.finish();
    std::mt19937 random(11);
    for (const std::size_t width : Blake3::widths()) {
        for (const std::size_t most : {70UL, 1500UL, 40'000UL}) {
            Blake3 pieces(width);
            for (ByteSpan rest = as_bytes(input); !rest.empty();) {
                const std::size_t count = std::min<std::size_t>(rest.size(), random() % most);
                pieces.update(rest.first(count));
                rest = rest.subspan(count);
            }
            EXPECT_EQ(pieces.finish(), expected) << "width " << width << ", pieces below " << most;
        }
    }
}

TEST(Blake3, IsADigestLikeTheOthers) {
    Digest digest(DigestKind::blake3);
    digest.update(as_bytes("abc"));
    const std::string abc = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    EXPECT_EQ(digest.hex(), abc);
    EXPECT_EQ(digest.hex(), kVectors[0].digest) << "as new";
    EXPECT_EQ(digest_hex(DigestKind::blake3, as_bytes("abc")), abc);
}

}  // namespace
}  // namespace backstay
