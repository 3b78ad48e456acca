#include "control-plane/auth/known_tokens.h"

#include <gtest/gtest.h>

namespace backstay::auth {
namespace {

constexpr TimeMs kNow = 1'800'000'000'000;

Claims claims_until(TimeMs end) {
    Claims claims;
    claims.subject = "ada";
    claims.expires_at = end;
    return claims;
}

TEST(KnownTokens, AreKnownForAMinute) {
    KnownTokens known;
    EXPECT_FALSE(known.find("hash", kNow));
    known.keep("hash", claims_until(kNow + 3'600'000), kNow);
    ASSERT_TRUE(known.find("hash", kNow + KnownTokens::kKnownMs - 1));
    EXPECT_EQ(known.find("hash", kNow)->subject, "ada");
    EXPECT_FALSE(known.find("hash", kNow + KnownTokens::kKnownMs));
    EXPECT_FALSE(known.find("another", kNow));
}

TEST(KnownTokens, AreNotKnownBeyondTheirEnd) {
    KnownTokens known;
    known.keep("hash", claims_until(kNow + 10'000), kNow);
    EXPECT_TRUE(known.find("hash", kNow + 9'999));
    EXPECT_FALSE(known.find("hash", kNow + 10'000));
}

TEST(KnownTokens, AreNotKnownLongerWhenTheClockIsSetBack) {
    KnownTokens known;
    known.keep("hash", claims_until(kNow + 3'600'000), kNow);
    EXPECT_FALSE(known.find("hash", kNow - 1));
}

TEST(KnownTokens, AreBounded) {
    KnownTokens known;
    for (std::size_t i = 0; i <= KnownTokens::kMost; ++i) {
        known.keep("hash" + std::to_string(i), claims_until(kNow + 3'600'000), kNow);
    }
    EXPECT_FALSE(known.find("hash0", kNow));
    EXPECT_TRUE(known.find("hash" + std::to_string(KnownTokens::kMost), kNow));
}

}  // namespace
}  // namespace backstay::auth
