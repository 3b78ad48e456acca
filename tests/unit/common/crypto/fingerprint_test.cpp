#include "common/crypto/fingerprint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace backstay {
namespace {

FingerprintValue of(const FingerprintKey& key, std::string_view text, std::size_t piece) {
    Fingerprint fingerprint(key);
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        fingerprint.update(as_bytes(text.substr(0, piece)));
    }
    return fingerprint.value();
}

TEST(Fingerprint, DependsOnTheBytesAndNotOnTheirPieces) {
    const FingerprintKey key = FingerprintKey::random();
    const std::string text(100'003, 'x');
    EXPECT_EQ(of(key, text, 100'003), of(key, text, 17));
    EXPECT_EQ(of(key, "", 1), of(key, "", 2));
    EXPECT_NE(of(key, "", 1), of(key, std::string(1, char{0}), 1));
}

TEST(Fingerprint, OneBitMissingOrMovedIsSeen) {
    const FingerprintKey key = FingerprintKey::random();
    std::string text(70'000, 'x');
    const FingerprintValue right = of(key, text, 4096);
    for (const std::size_t at : {std::size_t{0}, std::size_t{35'000}, text.size() - 1}) {
        std::string other = text;
        other[at] ^= 1;
        EXPECT_NE(of(key, other, 4096), right) << at;
    }
    EXPECT_NE(of(key, text.substr(1), 4096), right);
    std::string swapped = text;
    swapped[16] = 'y';
    std::string other_way = text;
    other_way[32] = 'y';
    EXPECT_NE(of(key, swapped, 4096), of(key, other_way, 4096));
}

TEST(Fingerprint, AnotherKeyGivesAnotherValue) {
    EXPECT_NE(of(FingerprintKey::random(), "text", 4), of(FingerprintKey::random(), "text", 4));
}

}  // namespace
}  // namespace backstay
