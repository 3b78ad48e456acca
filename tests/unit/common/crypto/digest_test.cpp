#include "common/crypto/digest.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Digest, AgreesWithThePublishedVectors) {
    const ByteSpan abc = as_bytes("abc");
    EXPECT_EQ(digest_hex(DigestKind::sha256, abc), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digest_hex(DigestKind::sha1, abc), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(digest_hex(DigestKind::blake2b, abc), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Digest, IsTheSameInPiecesAndIsAsNewAfterHex) {
    Digest digest(DigestKind::sha1);
    digest.update(as_bytes("a"));
    digest.update(as_bytes("bc"));
    EXPECT_EQ(digest.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    digest.update(as_bytes("abc"));
    EXPECT_EQ(digest.hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(digest.hex(), "da39a3ee5e6b4b0d3255bfef95601890afd80709") << "the digest of nothing";
}

TEST(DigestingSink, PassesTheBytesOnAndCountsThem) {
    StringSink kept(100);
    DigestingSink sink(DigestKind::sha256, kept);
    ASSERT_TRUE(sink.write(as_bytes("ab")));
    ASSERT_TRUE(sink.write(as_bytes("c")));
    EXPECT_EQ(kept.text(), "abc");
    EXPECT_EQ(sink.bytes(), 3U);
    EXPECT_EQ(sink.hex(), digest_hex(DigestKind::sha256, as_bytes("abc")));
}

}  // namespace
}  // namespace backstay
