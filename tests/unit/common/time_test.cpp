#include <gtest/gtest.h>

#include <limits>

#include "common/clock.h"

namespace backstay {
namespace {

TEST(Rfc3339, RoundTrip) {
    for (const char* text : {"2026-01-02T03:04:05Z", "1969-12-31T23:59:59.500Z", "2024-02-29T00:00:00.001Z"}) {
        const auto time = parse_rfc3339(text);
        ASSERT_TRUE(time) << text;
        EXPECT_EQ(to_rfc3339(*time), text);
    }
}

TEST(Rfc3339, WhatNoYearOfFourDigitsHoldsIsItsEdge) {
    EXPECT_EQ(to_rfc3339(-62'167'219'200'001), "0000-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(-62'167'219'200'000), "0000-01-01T00:00:00Z");
    EXPECT_EQ(to_rfc3339(253'402'300'799'999), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(to_rfc3339(253'402'300'800'000), "9999-12-31T23:59:59Z");
    EXPECT_EQ(to_rfc3339(std::numeric_limits<TimeMs>::max()), "9999-12-31T23:59:59Z");
    EXPECT_EQ(to_rfc3339(std::numeric_limits<TimeMs>::min()), "0000-01-01T00:00:00Z");
}

TEST(Rfc3339, OffsetsAreConverted) {
    EXPECT_EQ(to_rfc3339(*parse_rfc3339("2026-01-01T01:30:00+02:00")), "2025-12-31T23:30:00Z");
    EXPECT_EQ(to_rfc3339(*parse_rfc3339("2026-01-01T01:30:00.123456-00:30")), "2026-01-01T02:00:00.123Z");
}

TEST(Rfc3339, RefusesWhatIsNotATime) {
    for (const char* text : {"", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
                             "2026-01-01T24:00:00Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00.Z",
                             "2026-01-01T00:00:00+2:00", "-026-01-01T00:00:00Z", "2026-01-01T-1:00:00Z"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

}  // namespace
}  // namespace backstay
