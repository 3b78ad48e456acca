#include "control-plane/replicas/rings.h"

#include <gtest/gtest.h>

#include "common/ids.h"

namespace backstay::replicas {
namespace {

dispatch::Stir stir_with(std::size_t agents, std::size_t operations) {
    dispatch::Stir stir;
    while (stir.agents.size() < agents) stir.agents.insert(new_uuid());
    while (stir.operations.size() < operations) stir.operations.insert(new_uuid());
    return stir;
}

TEST(Rings, NameWhatChangedInTextsThatNotifyTakes) {
    const dispatch::Stir stir = stir_with(200, 400);
    dispatch::Stir heard;
    for (const std::string& text : texts_of(stir, "r1", false)) {
        EXPECT_LT(text.size(), 8000U);
        const auto ring = read_ring(text);
        ASSERT_TRUE(ring) << ring.error().message();
        EXPECT_EQ(ring->from, "r1");
        EXPECT_FALSE(ring->everything);
        heard.merge(stir_of(*ring));
    }
    EXPECT_EQ(heard.agents, stir.agents);
    EXPECT_EQ(heard.operations, stir.operations);
}

TEST(Rings, SayEverythingWhenThereIsTooMuchToName) {
    const auto texts = texts_of(stir_with(1000, 1000), "r1", false);
    ASSERT_EQ(texts.size(), 1U);
    EXPECT_TRUE(read_ring(texts.front())->everything);
    EXPECT_TRUE(read_ring(texts_of({}, "r1", true).front())->everything);
}

TEST(Rings, AreNotUnderstoodWhenTheyAreNone) { EXPECT_FALSE(read_ring("ding")); }

}  // namespace
}  // namespace backstay::replicas
