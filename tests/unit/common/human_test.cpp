#include "common/human.h"

#include <gtest/gtest.h>

namespace backstay::human {

TEST(Human, WritesSizesInDecimalUnits) {
    EXPECT_EQ(size(0), "0 B");
    EXPECT_EQ(size(999), "999 B");
    EXPECT_EQ(size(1000), "1.0 kB");
    EXPECT_EQ(size(999'960), "1.0 MB");
    EXPECT_EQ(size(1'234'567'890), "1.2 GB");
    EXPECT_EQ(size(UINT64_MAX), "18.4 EB");
}

TEST(Human, WritesDurationsInTwoUnits) {
    EXPECT_EQ(duration(-5), "0 ms");
    EXPECT_EQ(duration(350), "350 ms");
    EXPECT_EQ(duration(12'900), "12 s");
    EXPECT_EQ(duration(200'000), "3 min 20 s");
    EXPECT_EQ(duration(7'500'000), "2 h 5 min");
    EXPECT_EQ(duration(356'400'000), "4 d 3 h");
}

}  // namespace backstay::human
