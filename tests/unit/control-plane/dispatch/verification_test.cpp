// Backups are looked at again every 30 days, and what is found shows. The clock is moved by hand.
#include "tests/unit/control-plane/dispatch/verifications.h"

namespace backstay::dispatch {
namespace {

TEST_F(Verifications, ComeThirtyDaysAfterTheLastLook) {
    const std::string backup = made();
    const TimeMs first = world_.now;
    EXPECT_EQ(world_.backup(backup).verified_at, first);
    pass(30 * kDay - 1);
    EXPECT_TRUE(sweep().empty());
    pass(1);
    ASSERT_EQ(sweep().size(), 1U);
    EXPECT_EQ(sweep().size(), 1U) << "ordered once";
    const Job job = handed_out();
    EXPECT_EQ(job.backup_id, backup);
    pass(kMinute);
    looked_at(job);
    EXPECT_EQ(world_.backup(backup).verified_at, first + 30 * kDay + kMinute);
    EXPECT_THAT(world_.evidence(backup).why_green, Contains(HasSubstr("verification: ")));
    EXPECT_TRUE(world_.evidence(backup).can_write_clean_success);
    pass(30 * kDay - 1);
    EXPECT_TRUE(sweep().empty());
    pass(1);
    EXPECT_EQ(sweep().size(), 1U);
}

TEST_F(Verifications, WaitForAnAgentThatIsThereAndIdleAndGoLast) {
    made();
    pass(31 * kDay);
    EXPECT_TRUE(sweep(false).empty()) << "the agent is away";
    const std::string running = world_.order_backup({"d1"});
    EXPECT_TRUE(sweep().empty()) << "a backup waits";
    world_.ask();
    EXPECT_TRUE(sweep().empty()) << "a backup runs";
    world_.send(world_.report(running, 1, 1, ReportKind::accepted));
    world_.testify(running, 1, 1, plan_backup("full", {"d1"}, false));
    ASSERT_EQ(sweep().size(), 1U);
    pass(1000);
    const std::string later = world_.order_backup({"d1"});
    const auto given = world_.ask(1).assignments;
    ASSERT_EQ(given.size(), 1U);
    EXPECT_EQ(given.front().job_id, later) << "what people wait for goes first";
}

TEST_F(Verifications, AreSpreadOneAtATimeAndForgetNone) {
    constexpr int kBackups = 6;
    for (int i = 0; i < kBackups; ++i) made();
    int looks = 0;
    for (int hours = 0; hours < 75 * 24; hours += 12) {
        pass(12 * kHour);
        const bool away = hours / 24 >= 28 && hours / 24 < 33;
        if (away) continue;
        for (int i = 0; i < 8; ++i) {  // a few hours' sweeps
            const auto jobs = sweep();
            ASSERT_LE(jobs.size(), 1U);
            if (jobs.empty()) break;
            looked_at(handed_out());
            ++looks;
        }
        auto rows = world_.db().query("SELECT MIN(verified_at) FROM backups");
        ASSERT_TRUE(rows->step().value());
        ASSERT_GE(rows->integer(0), world_.now - (hours / 24 >= 33 ? 37 : 32) * kDay);
    }
    EXPECT_EQ(looks, 2 * kBackups);
}

TEST_F(Verifications, ThatFindACopyDamagedTurnTheEvidenceAndRaiseAnAlarm) {
    const std::string backup = made({"d1", "d2"});
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at_damaged(handed_out(), "d2");
    EXPECT_EQ(world_.backup(backup).status, "partial");
    EXPECT_FALSE(world_.backup(backup).verified_at.has_value());
    EXPECT_FALSE(world_.evidence(backup).can_write_clean_success);
    EXPECT_EQ(world_.evidence(backup).reason, reason::kRemoteCorrupt);
    ASSERT_TRUE(alarm().has_value());
    EXPECT_EQ(alarm()->severity, alerts::Severity::critical);
    EXPECT_EQ(alarm()->about.backup_id, backup);

    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    const Job again = handed_out();
    EXPECT_THAT(again.order, HasSubstr("\"d1\""));
    EXPECT_THAT(again.order, ::testing::Not(HasSubstr("\"d2\""))) << "known to be damaged";
    looked_at(again);
    EXPECT_FALSE(world_.backup(backup).verified_at.has_value()) << "one of its copies is not proven";
    EXPECT_TRUE(alarm().has_value()) << "the damage is still there";
}

TEST_F(Verifications, ThatFindTheContentWrongTurnTheEvidenceUntilOneFindsItRight) {
    const std::string backup = made();
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at(handed_out(), step::kStructureCheck, reason::kStructureInvalid);
    EXPECT_EQ(world_.backup(backup).status, "partial");
    EXPECT_FALSE(world_.backup(backup).verified_at.has_value());
    EXPECT_THAT(world_.evidence(backup).optional_failed_steps, ::testing::ElementsAre("verification"));
    EXPECT_EQ(world_.evidence(backup).reason, reason::kStructureInvalid);
    EXPECT_EQ(alarm()->severity, alerts::Severity::critical);
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at(handed_out());
    EXPECT_EQ(world_.backup(backup).status, "completed");
    EXPECT_EQ(world_.backup(backup).verified_at, world_.now);
    EXPECT_FALSE(alarm().has_value());
}

TEST_F(Verifications, ThatCouldNotBeDoneSayNothingOfTheBackupAndComeAgainTheNextDay) {
    const std::string backup = made();
    const TimeMs proven = world_.now;
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at(handed_out(), step::kVerifyArtifacts, reason::kDestinationUnreachable);
    EXPECT_EQ(world_.backup(backup).status, "completed");
    EXPECT_EQ(world_.backup(backup).verified_at, proven);
    EXPECT_EQ(alarm()->severity, alerts::Severity::warning);
    pass(kDay - 1);
    EXPECT_TRUE(sweep().empty());
    pass(1);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at(handed_out());
    EXPECT_FALSE(alarm().has_value());
    EXPECT_EQ(world_.backup(backup).verified_at, world_.now);
}

TEST_F(Verifications, ThatFindNoManifestAnywhereTurnTheBackup) {
    made();
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    looked_at(handed_out(), step::kFetchArtifacts, reason::kRemoteMissing);
    EXPECT_EQ(alarm()->severity, alerts::Severity::critical);
}

TEST_F(Verifications, ThatSomebodyCancelledComeAgainTheNextDay) {
    made();
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    const auto jobs = unfinished_jobs_of_agent(world_.db(), world_.agent.id).value();
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_TRUE(cancel_job(world_.db(), jobs[0].id, world_.now, world_.stir));
    EXPECT_TRUE(sweep().empty());
    pass(kDay);
    EXPECT_EQ(sweep().size(), 1U);
}

TEST_F(Verifications, OfABackupThatIsRemovedMeanwhileAlarmNobody) {
    const std::string backup = made();
    pass(30 * kDay);
    ASSERT_EQ(sweep().size(), 1U);
    const Job job = handed_out();
    auto row = world_.backup(backup);
    ASSERT_TRUE(remove_backup(world_.db(), row, "retention", world_.now, world_.stir));
    looked_at(job, step::kVerifyArtifacts, reason::kRemoteMissing);
    EXPECT_FALSE(alarm().has_value());
    EXPECT_EQ(world_.backup(backup).status, "deleting");
    pass(40 * kDay);
    EXPECT_TRUE(sweep().empty());
}

}  // namespace
}  // namespace backstay::dispatch
