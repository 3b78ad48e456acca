#include "control-plane/auth/rate_limiter.h"

#include <gtest/gtest.h>

namespace backstay::auth {
namespace {

TEST(RateLimiter, LetsSoManyThroughInAMinuteAndNoMore) {
    RateLimiter limiter(3);
    EXPECT_EQ(limiter.take("a", 1000).remaining, 2);
    EXPECT_EQ(limiter.take("a", 2000).remaining, 1);
    EXPECT_TRUE(limiter.take("a", 3000).allowed);
    const RateDecision refused = limiter.take("a", 11'000);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.limit, 3);
    EXPECT_EQ(refused.remaining, 0);
    EXPECT_EQ(refused.retry_after_s, 50);
    EXPECT_TRUE(limiter.take("b", 11'000).allowed);
    EXPECT_TRUE(limiter.take("a", 61'000).allowed);
}

TEST(RateLimiter, TellsWhatItTookAndCountsWhatOthersTook) {
    RateLimiter limiter(100);
    limiter.share();
    for (int i = 0; i < 3; ++i) limiter.take("a", 10'000);
    EXPECT_FALSE(limiter.is_pressing());
    for (int i = 0; i < 2; ++i) limiter.take("a", 10'000);
    EXPECT_TRUE(limiter.is_pressing()) << "a twentieth of the limit";
    const auto gathered = limiter.gather();
    ASSERT_EQ(gathered.size(), 1U);
    EXPECT_EQ(gathered.front().count, 5);
    EXPECT_FALSE(limiter.is_pressing());
    EXPECT_TRUE(limiter.gather().empty());
    limiter.take("a", 10'500);
    // The others took 80 in a window that began earlier.
    limiter.settle(gathered.front(), RateLimiter::Sum{5'000, 85});
    const RateDecision next = limiter.take("a", 11'000);
    EXPECT_EQ(next.remaining, 13);
    EXPECT_TRUE(limiter.look("a", 65'001).allowed);
    EXPECT_EQ(limiter.take("a", 65'001).remaining, 99) << "that window is over";
}

TEST(RateLimiter, TellsAgainWhatCouldNotBeTold) {
    RateLimiter limiter(100);
    limiter.share();
    limiter.take("a", 0);
    const auto gathered = limiter.gather();
    limiter.settle(gathered.front(), std::nullopt);
    EXPECT_EQ(limiter.gather().front().count, 1);
}

TEST(RateLimiter, ForgetsWhatWasToldOfAWindowThatIsOver) {
    RateLimiter limiter(100);
    limiter.share();
    limiter.take("a", 0);
    const auto gathered = limiter.gather();
    limiter.take("a", 60'000);
    limiter.settle(gathered.front(), RateLimiter::Sum{0, 90});
    EXPECT_EQ(limiter.look("a", 60'001).remaining, 98);
}

TEST(RateLimiter, LooksWithoutCounting) {
    RateLimiter limiter(1);
    EXPECT_TRUE(limiter.look("a", 0).allowed);
    EXPECT_TRUE(limiter.look("a", 0).allowed);
    EXPECT_TRUE(limiter.take("a", 0).allowed);
    EXPECT_FALSE(limiter.look("a", 1).allowed);
    EXPECT_TRUE(limiter.look("a", 60'000).allowed);
}

TEST(RateLimiter, OfZeroLimitsNothing) {
    RateLimiter limiter(0);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limiter.take("a", 0).allowed);
    EXPECT_EQ(limiter.take("a", 0).limit, 0);
    EXPECT_TRUE(limiter.look("a", 0).allowed);
}

TEST(RateLimiter, ForgetsWhatIsOverWhenItIsFull) {
    RateLimiter limiter(1, 4);
    for (const char* key : {"a", "b", "c", "d"}) EXPECT_TRUE(limiter.take(key, 0).allowed);
    EXPECT_TRUE(limiter.take("e", 70'000).allowed);
    EXPECT_FALSE(limiter.take("e", 70'001).allowed);
    for (const char* key : {"f", "g", "h", "i", "j"}) EXPECT_TRUE(limiter.take(key, 70'002).allowed);
}

TEST(RateLimiter, GathersNothingThatNobodyTakes) {
    RateLimiter limiter(20);
    limiter.take("a", 0);
    EXPECT_FALSE(limiter.is_pressing());
    EXPECT_TRUE(limiter.gather().empty());
    limiter.share();
    limiter.take("b", 0);
    EXPECT_EQ(limiter.gather().size(), 1U);
}

}  // namespace
}  // namespace backstay::auth
