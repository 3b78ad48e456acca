// The processes of one store: who lives, who is silent, who left.
#include <gtest/gtest.h>

#include "control-plane/store/replicas.h"
#include "tests/unit/control-plane/store_fixture.h"

namespace backstay::store {
namespace {

using ReplicasTest = testing::StoreTest;

TEST_F(ReplicasTest, LiveWhileTheyAreHeardOf) {
    Replicas replicas(*db_);
    EXPECT_TRUE(replicas.beat({"a", "http://10.0.0.1:8480", "1", 0}, 1'000'000));
    EXPECT_TRUE(replicas.beat({"b", "", "1", 0}, 1'000'000));
    EXPECT_TRUE(replicas.beat({"b", "", "1", 0}, 1'000'000 + kReplicaSilentMs));
    const auto both = replicas.alive(1'000'000 + kReplicaSilentMs - 1).value();
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both[0].address, "http://10.0.0.1:8480");
    const auto one = replicas.alive(1'000'000 + kReplicaSilentMs).value();
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one[0].id, "b");
    EXPECT_TRUE(replicas.leave("b"));
    EXPECT_TRUE(replicas.alive(1'000'000).value().size() == 1U) << "a was not asked";
    EXPECT_TRUE(replicas.beat({"c", "", "1", 0}, 1'000'000 + 3'600'001));
    EXPECT_EQ(replicas.alive(1'000'000).value().size(), 1U) << "a is forgotten";
}

}  // namespace
}  // namespace backstay::store
