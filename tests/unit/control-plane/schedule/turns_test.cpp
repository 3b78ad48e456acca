#include "control-plane/schedule/turns.h"

#include <gtest/gtest.h>

namespace backstay::schedule {
namespace {

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;

TimeMs at(std::string_view text) { return parse_rfc3339(text).value(); }

class Turns : public ::testing::Test {
protected:
    Turns() {
        schedule_.db = {"custom", "0 * * * *", due_};
        situation_.now = due_;
        situation_.agent_here = true;
    }
    std::vector<Turn> turns() { return schedule::turns(schedule_, situation_).value(); }
    const TimeMs due_ = at("2026-03-04T02:00:00Z");
    store::Schedule schedule_;
    Situation situation_;
};

TEST_F(Turns, NothingIsDueBeforeItsMomentNorOfWhatIsOff) {
    situation_.now = due_ - 1;
    EXPECT_TRUE(turns().empty());
    situation_.now = due_;
    ASSERT_EQ(turns().size(), 1U);
    EXPECT_EQ(turns()[0].what, What::order);
    schedule_.paused = true;
    EXPECT_TRUE(turns().empty());
    schedule_.paused = false;
    schedule_.enabled = false;
    EXPECT_TRUE(turns().empty());
}

TEST_F(Turns, AnAbsentAgentIsWaitedForHalfAnInterval) {
    situation_.agent_here = false;
    situation_.now = due_ + 30 * kMinute - 1;
    EXPECT_EQ(turns()[0].what, What::wait);
    situation_.now = due_ + 30 * kMinute;
    EXPECT_EQ(turns()[0].what, What::miss);
    EXPECT_EQ(turns()[0].message, "the agent was away");
    situation_.agent_here = true;
    EXPECT_EQ(turns()[0].what, What::miss);
    situation_.now = due_ + 29 * kMinute;
    EXPECT_EQ(turns()[0].what, What::order) << "one that comes back in time catches up";
}

TEST_F(Turns, OfManyMissedMomentsOnlyTheNewestIsCaughtUp) {
    situation_.now = due_ + 100 * kHour + 10 * kMinute;
    const auto found = turns();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].what, What::order);
    EXPECT_EQ(found[0].slot.due, due_ + 100 * kHour);
    EXPECT_EQ(found[0].passed_over, due_);
    EXPECT_EQ(found[0].slot.following, due_ + 101 * kHour);
}

TEST_F(Turns, WhatWorksOnTheEnvironmentMakesItSkip) {
    situation_.busy = "restore r1";
    ASSERT_EQ(turns()[0].what, What::skip);
    EXPECT_EQ(turns()[0].message, "restore r1 works on this environment");
}

TEST_F(Turns, AFullBackupOfTheSameMomentGoesFirstAndHoldsTheDatabaseToo) {
    schedule_.full = {"custom", "0 2 * * 0", due_};
    const auto found = turns();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].scope, "full");
    EXPECT_EQ(found[0].what, What::order);
    EXPECT_EQ(found[1].scope, "db");
    EXPECT_EQ(found[1].what, What::cover);
    schedule_.full.next = due_ + 24 * kHour;
    situation_.last_full = due_;
    situation_.busy = "backup b1";
    EXPECT_EQ(turns()[0].what, What::cover) << "ordered before";
    situation_.last_full = due_ - kHour;
    EXPECT_EQ(turns()[0].what, What::skip);
}

TEST_F(Turns, AFullBackupOfAnotherMomentMakesTheDatabaseSkip) {
    schedule_.full = {"custom", "55 1 * * 0", due_ - 5 * kMinute};
    const auto found = turns();
    EXPECT_EQ(found[0].what, What::order);
    EXPECT_EQ(found[1].what, What::skip);
}

TEST_F(Turns, ACronOrAZoneThatIsNotKnownIsAnError) {
    schedule_.time_zone = "Europe/Atlantis";
    EXPECT_FALSE(schedule::turns(schedule_, situation_));
}

}  // namespace
}  // namespace backstay::schedule
