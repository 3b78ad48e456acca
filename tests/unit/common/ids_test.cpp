#include "common/ids.h"

#include <gtest/gtest.h>

namespace backstay {
namespace {

TEST(Ids, UuidsAreCanonicalAndDistinct) {
    const std::string one = new_uuid();
    EXPECT_TRUE(is_uuid(one)) << one;
    EXPECT_EQ(one[14], '4');
    EXPECT_NE(one, new_uuid());
    EXPECT_TRUE(is_uuid(new_ordered_uuid()));
}

TEST(Ids, OtherTextIsNoUuid) {
    EXPECT_FALSE(is_uuid(""));
    EXPECT_FALSE(is_uuid("497f6eca-6276-4993-bfeb-53cbbbba6f0"));
    EXPECT_FALSE(is_uuid("497f6eca-6276-4993-bfeb-53cbbbba6f0g"));
    EXPECT_FALSE(is_uuid("497f6eca.6276.4993.bfeb.53cbbbba6f08"));
}

TEST(Ids, TokensHoldTheirRandomness) {
    EXPECT_EQ(random_token(32).size(), 43U);
    EXPECT_NE(random_token(32), random_token(32));
}

}  // namespace
}  // namespace backstay
