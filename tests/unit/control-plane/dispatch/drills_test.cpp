// Restore drills: when they come, and what they say of a backup. The clock is moved by hand.
#include "control-plane/operations/drills.h"

#include "tests/unit/control-plane/dispatch/verifications.h"

namespace backstay::dispatch {
namespace {

namespace type = alerts::type;

class Drills : public Verifications {
protected:
    void every(std::int64_t days) {
        const auto done = set_drills(world_.db(), world_.environment, days, world_.now);
        ASSERT_TRUE(done) << done.error().message();
    }
    // A sweep's drill, handed out.
    Job drill() {
        EXPECT_EQ(sweep().size(), 1U);
        const Job job = handed_out();
        EXPECT_THAT(job.order, HasSubstr("\"drill\":true"));
        return job;
    }
    void watch() { EXPECT_TRUE(watch_drills(world_.db(), world_.now)); }
};

TEST_F(Drills, ComeAsOftenAsTheyAreWantedOfTheNewestBackup) {
    made();
    EXPECT_TRUE(sweep().empty()) << "nobody wants any";
    pass(kHour);
    const std::string newest = made();
    every(7);
    const Job job = drill();
    EXPECT_EQ(job.backup_id, newest);
    looked_at(job, "", "", true);
    EXPECT_THAT(world_.evidence(newest).why_green, Contains(HasSubstr("drill: ")));
    EXPECT_EQ(operations::last_passed_drill(world_.db(), world_.environment.id).value(), world_.now);
    pass(7 * kDay - kHour);
    EXPECT_TRUE(sweep().empty());
    pass(kHour);
    looked_at(drill(), "", "", true);
    every(0);
    pass(8 * kDay);
    EXPECT_TRUE(sweep().empty()) << "nobody wants them any more";
    const auto page = operations::list_drills(world_.db(), world_.organization_id, world_.environment.id, 10, 0);
    EXPECT_EQ(page->total, 2);
    EXPECT_EQ(page->rows.size(), 2U);
}

TEST_F(Drills, ThatFindTheContentWrongSayItOfTheBackup) {
    const std::string backup = made();
    every(7);
    looked_at(drill(), step::kContentChecks, reason::kRestoreFailed, true);
    EXPECT_EQ(world_.backup(backup).status, "partial");
    EXPECT_FALSE(world_.backup(backup).verified_at.has_value());
    EXPECT_THAT(world_.evidence(backup).optional_failed_steps, ::testing::ElementsAre("drill"));
    EXPECT_EQ(alarm(type::kDrillFailed)->severity, alerts::Severity::critical);
    EXPECT_TRUE(alarm().has_value()) << "the backup is not what it was";
    pass(7 * kDay);
    looked_at(drill(), "", "", true);
    EXPECT_EQ(world_.backup(backup).status, "completed");
    EXPECT_FALSE(alarm(type::kDrillFailed).has_value());
    EXPECT_FALSE(alarm().has_value());
}

TEST_F(Drills, ThatAPlainVerificationDoesNotOutvote) {
    const std::string backup = made();
    every(40);
    looked_at(drill(), step::kContentChecks, reason::kRestoreFailed, true);
    pass(31 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at(handed_out());
    EXPECT_EQ(world_.backup(backup).status, "partial") << "sound bytes of what cannot be restored";
    EXPECT_FALSE(world_.backup(backup).verified_at.has_value());
    EXPECT_TRUE(alarm().has_value());
}

TEST_F(Drills, ThatCouldNotBeDoneBlameNoBackupAndComeAgainTheNextDay) {
    const std::string backup = made();
    every(7);
    looked_at(drill(), step::kScratchRestore, reason::kDiskSpaceLow, true);
    EXPECT_EQ(world_.backup(backup).status, "completed");
    EXPECT_TRUE(world_.backup(backup).verified_at.has_value());
    EXPECT_TRUE(alarm(type::kDrillFailed).has_value());
    EXPECT_FALSE(alarm().has_value()) << "the trial failed, not the backup";
    pass(kDay - 1);
    EXPECT_TRUE(sweep().empty());
    pass(1);
    looked_at(drill(), "", "", true);
    EXPECT_FALSE(alarm(type::kDrillFailed).has_value());
}

TEST_F(Drills, AreOverdueWhenNonePassesForTooLong) {
    made();
    pass(kHour);  // the agent goes away
    every(10);
    for (int day = 0; day < 15; ++day) {
        EXPECT_TRUE(sweep(false).empty()) << "the agent is away";
        watch();
        EXPECT_FALSE(alarm(type::kDrillOverdue).has_value()) << day;
        pass(kDay);
    }
    pass(1);
    watch();
    EXPECT_EQ(alarm(type::kDrillOverdue)->severity, alerts::Severity::warning);
    looked_at(drill(), "", "", true);
    EXPECT_FALSE(alarm(type::kDrillOverdue).has_value());
    watch();
    EXPECT_FALSE(alarm(type::kDrillOverdue).has_value());
}

TEST_F(Drills, AreRefusedWithoutABackupAndWhileOneRuns) {
    const auto why = [&] {
        const auto drill = order_drill(world_.db(), world_.environment, "someone", world_.now, world_.stir);
        return drill ? "ordered" : drill.error().reason();
    };
    EXPECT_EQ(why(), "no_backup");
    const std::string whole = made();
    pass(kMinute);
    world_.order_backup({"d1"});  // runs: not yet one
    EXPECT_EQ(why(), "ordered");
    EXPECT_EQ(why(), "drill_running");
}

}  // namespace
}  // namespace backstay::dispatch
