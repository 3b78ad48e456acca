#include "agent/courier/retry.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(CourierRetry, DoublesToAMinuteAndForgetsAtSuccess) {
    Retry retry(1);
    const Error away(Errc::unavailable, "away");
    const std::int64_t first = retry.failed(away);
    EXPECT_GE(first, 400);
    EXPECT_LE(first, 600);
    for (int i = 0; i < 12; ++i) EXPECT_LE(retry.failed(away), 72'000);
    EXPECT_GE(retry.failed(away), 48'000);
    retry.succeeded();
    EXPECT_LE(retry.failed(away), 600);
}

TEST(CourierRetry, WaitsAMinuteWhereTryingAgainSoonCannotHelp) {
    Retry retry(1);
    EXPECT_GE(retry.failed(Error(Errc::denied, "revoked")), 48'000);
}

TEST(CourierRetry, HonoursRetryAfter) {
    Retry retry(1);
    EXPECT_GE(retry.failed(Error(Errc::unavailable, "busy").with_fact("retry_after_s", "7")), 7'000);
    EXPECT_LE(retry.failed(Error(Errc::unavailable, "busy").with_fact("retry_after_s", "99999999")), 3'600'000);
}

}  // namespace
}  // namespace backstay
