#include "control-plane/store/fair_queue.h"

#include <gtest/gtest.h>

namespace backstay::store {
namespace {

constexpr auto kAny = [](std::string_view) { return true; };
constexpr auto kAnyItem = [](char) { return true; };

std::string drained(FairQueue<char>& queue) {
    std::string items;
    while (const auto turn = queue.pop(kAny)) items += turn->item;
    EXPECT_TRUE(queue.empty());
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
    EXPECT_EQ(queue.pop(kAny)->item, 'a');
    EXPECT_EQ(queue.pop(kAny)->item, 'x');
    ASSERT_TRUE(queue.push("two", 'y'));
    EXPECT_EQ(drained(queue), "by");
}

TEST(FairQueue, KeepTheTurnOfWhoMayNotYet) {
    FairQueue<char> queue(10);
    for (const char item : {'a', 'b'}) ASSERT_TRUE(queue.push("one", item));
    for (const char item : {'x', 'y'}) ASSERT_TRUE(queue.push("two", item));
    const auto not_one = [](std::string_view tenant) { return tenant != "one"; };
    EXPECT_EQ(queue.pop(not_one)->item, 'x');
    EXPECT_EQ(queue.pop(kAny)->item, 'a');
    EXPECT_EQ(queue.pop(not_one)->item, 'y');
    EXPECT_FALSE(queue.pop(not_one));
    EXPECT_EQ(queue.size(), 1U);
    EXPECT_EQ(drained(queue), "b");
}

TEST(FairQueue, GiveMoreOfOneLineWhichStandsBehindAllOthersThen) {
    FairQueue<char> queue(10);
    for (const char item : {'a', 'b', 'c', 'd'}) ASSERT_TRUE(queue.push("one", item));
    EXPECT_EQ(queue.pop(kAny)->item, 'a');
    for (const char item : {'x', 'y'}) ASSERT_TRUE(queue.push("two", item));
    const auto not_c = [](char item) { return item != 'c'; };
    EXPECT_EQ(*queue.first_of("one"), 'b');
    EXPECT_EQ(queue.pop_more("one", not_c), 'b');
    EXPECT_FALSE(queue.pop_more("one", not_c)) << "they keep their order";
    EXPECT_FALSE(queue.pop_more("three", not_c));
    EXPECT_EQ(queue.first_of("three"), nullptr);
    EXPECT_EQ(queue.size(), 4U);
    EXPECT_EQ(drained(queue), "xcyd");
}

TEST(FairQueue, GiveTheLastOfOneLine) {
    FairQueue<char> queue(10);
    for (const char item : {'a', 'b'}) ASSERT_TRUE(queue.push("one", item));
    EXPECT_EQ(queue.pop(kAny)->item, 'a');
    EXPECT_EQ(queue.pop_more("one", kAnyItem), 'b');
    EXPECT_FALSE(queue.pop_more("one", kAnyItem));
    EXPECT_TRUE(queue.empty());
    ASSERT_TRUE(queue.push("one", 'c'));
    EXPECT_EQ(drained(queue), "c");
}

TEST(FairQueue, KnowWhoseALineIs) {
    const std::string id = new_uuid();
    EXPECT_EQ(organization_of(id), id);
    EXPECT_EQ(organization_of(id + kAgentsLine), id);
    EXPECT_EQ(organization_of(""), "");
    EXPECT_EQ(organization_of("newcomers agents"), "");
}

TEST(FairQueue, HoldSoManyOfOneTenant) {
    FairQueue<char> queue(3);
    for (const char item : {'a', 'b', 'c'}) ASSERT_TRUE(queue.push("one", item));
    EXPECT_FALSE(queue.push("one", 'd'));
    EXPECT_EQ(queue.pop(kAny)->item, 'a');
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
