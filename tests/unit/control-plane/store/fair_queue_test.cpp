#include "control-plane/store/fair_queue.h"

#include <gtest/gtest.h>

namespace backstay::store {
namespace {

std::string drained(FairQueue<char>& queue) {
    std::string items;
    while (!queue.empty()) items += queue.pop();
    return items;
}

TEST(FairQueue, LetsTenantsTakeTurns) {
    FairQueue<char> queue(10);
    for (const char item : {'a', 'b', 'c', 'd'}) ASSERT_TRUE(queue.push("noisy", item));
    ASSERT_TRUE(queue.push("quiet", 'x'));
    ASSERT_TRUE(queue.push("quiet", 'y'));
    ASSERT_TRUE(queue.push("", 's'));
    EXPECT_EQ(queue.size(), 7U);
    EXPECT_EQ(drained(queue), "axsbycd");
}

TEST(FairQueue, PutWhoComesAgainBehindThoseThatWait) {
    FairQueue<char> queue(10);
    for (const char item : {'a', 'b'}) ASSERT_TRUE(queue.push("one", item));
    ASSERT_TRUE(queue.push("two", 'x'));
    EXPECT_EQ(queue.pop(), 'a');
    EXPECT_EQ(queue.pop(), 'x');
    ASSERT_TRUE(queue.push("two", 'y'));
    EXPECT_EQ(drained(queue), "by");
}

TEST(FairQueue, HoldSoManyOfOneTenant) {
    FairQueue<char> queue(3);
    for (const char item : {'a', 'b', 'c'}) ASSERT_TRUE(queue.push("one", item));
    EXPECT_FALSE(queue.push("one", 'd'));
    EXPECT_EQ(queue.pop(), 'a');
    EXPECT_TRUE(queue.push("one", 'd'));
}

TEST(FairQueue, KeepRoomForTheNextHoweverManyAreFull) {
    constexpr std::size_t kMost = 100;
    FairQueue<int> queue(kMost);
    for (int tenant = 0; tenant < 40; ++tenant) {
        std::size_t taken = 0;
        while (queue.push(std::to_string(tenant), 0)) ++taken;
        EXPECT_GE(taken, FairQueue<int>::kAlways) << tenant;
        EXPECT_LE(taken, kMost) << tenant;
    }
}

}  // namespace
}  // namespace backstay::store
