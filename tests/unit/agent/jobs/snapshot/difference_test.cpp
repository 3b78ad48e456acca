#include "agent/jobs/snapshot/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace backstay::snapshot {
namespace {

using ::testing::HasSubstr;

constexpr TimeMs kDay = 24LL * 3600 * 1000;

class WhyFull : public ::testing::Test {
protected:
    WhyFull() {
        base_.snapshot_id = "base";
        base_.completed_at = {100 * kDay};
        choice_ = {106 * kDay, false, &base_, true, nullptr};
    }
    Difference difference(std::uint64_t bytes, std::uint64_t fresh) {
        Difference made{backup::NameList::create(folder_.path() + "/a").value(),
                        backup::NameList::create(folder_.path() + "/b").value()};
        made.bytes = bytes;
        made.fresh_bytes = fresh;
        return made;
    }
    testing::TempDir folder_;
    Base base_;
    Choice choice_;
};

TEST_F(WhyFull, ADifferentialNeedsAWholeYoungFullOne) {
    EXPECT_EQ(why_full(choice_), std::nullopt);
    choice_.full_wanted = true;
    EXPECT_THAT(why_full(choice_).value_or(""), HasSubstr("asked for"));
    choice_.full_wanted = false;
    choice_.base_is_there = false;
    EXPECT_THAT(why_full(choice_).value_or(""), HasSubstr("not whole"));
    choice_.base_is_there = true;
    choice_.now = 107 * kDay;
    EXPECT_EQ(why_full(choice_), std::nullopt);
    choice_.now = 107 * kDay + 1;
    EXPECT_THAT(why_full(choice_).value_or(""), HasSubstr("older than 7 days"));
    // A clock that was put back would let it serve until its day comes.
    choice_.now = 100 * kDay - 60'000;
    EXPECT_EQ(why_full(choice_), std::nullopt);
    choice_.now = 99 * kDay;
    EXPECT_THAT(why_full(choice_).value_or(""), HasSubstr("clock was put back"));
    choice_.base = nullptr;
    EXPECT_THAT(why_full(choice_).value_or(""), HasSubstr("no full one"));
}

TEST_F(WhyFull, NotMoreThanThirtyPercentOfTheBytesMayBeNew) {
    for (const auto& [fresh, full] :
         std::vector<std::pair<std::uint64_t, bool>>{{0, false}, {300, false}, {310, true}}) {
        const Difference made = difference(1000, fresh);
        choice_.difference = &made;
        EXPECT_EQ(why_full(choice_).has_value(), full) << fresh;
    }
    const Difference empty = difference(0, 0);
    choice_.difference = &empty;
    EXPECT_EQ(why_full(choice_), std::nullopt);
}

TEST(FitsALine, OnlyNamesWithoutALineEndDo) {
    EXPECT_TRUE(fits_a_line("ab/abcdef"));
    EXPECT_FALSE(fits_a_line("ab/ab\ncd"));
}

}  // namespace
}  // namespace backstay::snapshot
