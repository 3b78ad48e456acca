// Backups are looked at again every 30 days, and what is found shows. The clock is moved by hand.
#include <gmock/gmock.h>

#include <algorithm>

#include "common/domain/reasons.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/dispatch/order_removal.h"
#include "control-plane/dispatch/order_verification.h"
#include "control-plane/operations/verification.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
constexpr TimeMs kDay = 24 * kHour;

class Verifications : public ::testing::Test {
protected:
    Verifications() {
        auto transaction = sqlite::Transaction::begin(world_.db()).value();
        for (const char* id : {"d1", "d2"}) {
            store::DestinationRow row;
            row.id = row.name = id;
            row.organization_id = world_.organization_id;
            row.type = "s3_compatible";
            EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row));
        }
        EXPECT_TRUE(transaction.commit());
    }
    std::string made(const std::vector<std::string>& destinations = {"d1"}) {
        const std::string id = world_.order_backup(destinations);
        EXPECT_EQ(world_.ask(4).assignments.size(), 1U);
        world_.send(world_.report(id, 1, 1, ReportKind::accepted));
        world_.testify(id, 1, 1, plan_backup("full", destinations, false));
        return id;
    }
    // The agent is here; what is due is ordered. The verifications that wait or run now.
    std::vector<Job> sweep(bool here = true) {
        if (here) {
            EXPECT_TRUE(world_.beat({}));
        }
        const auto done = verify_due(world_.db(), world_.now, world_.stir);
        EXPECT_TRUE(done) << done.error().message();
        auto jobs = unfinished_jobs(world_.db()).value();
        std::erase_if(jobs, [](const Job& job) { return job.kind != "verify"; });
        return jobs;
    }
    void pass(TimeMs span) { world_.now += span; }

    Job handed_out() {
        EXPECT_EQ(world_.ask(4).assignments.size(), 1U);
        auto jobs = unfinished_jobs(world_.db()).value();
        EXPECT_FALSE(jobs.empty());
        world_.send(world_.report(jobs.front().id, jobs.front().fence, 1, ReportKind::accepted));
        return jobs.front();
    }
    void tell(const Job& job, std::int64_t& seq, std::string_view name, StepStatus status, std::string_view why = "") {
        Report step = world_.report(job.id, job.fence, ++seq, ReportKind::step);
        step.step.emplace();
        step.step->name = name;
        step.step->status = status;
        step.step->reason = why;
        step.step->summary = status == StepStatus::failed ? "not what it was" : "as it was";
        step.step->proofs = plan_verification(true).required_proofs;
        world_.send(step);
    }
    // The agent does it; one step may fail.
    void looked_at(const Job& job, std::string_view failing = "", std::string_view why = "", bool drill = false) {
        std::int64_t seq = 1;
        Report last = world_.report(job.id, job.fence, 0, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::succeeded;
        for (const StepPlan& planned : plan_verification(drill).steps) {
            const bool fails = planned.name == failing;
            tell(job, seq, planned.name, fails ? StepStatus::failed : StepStatus::completed, fails ? why : "");
            if (!fails) continue;
            last.finished->outcome = JobOutcome::failed;
            last.finished->reason = why;
            last.finished->error_message = "not what it was";
            break;
        }
        last.seq = ++seq;
        EXPECT_FALSE(world_.send(last).refused);
    }
    void looked_at_damaged(const Job& job, const std::string& destination_id) {
        Report copied = world_.report(job.id, job.fence, 2, ReportKind::copy);
        copied.copy = CopyRecord{destination_id, "db", CopyState::corrupt, "", "", 0, "other bytes", "remote_corrupt"};
        world_.send(copied);
        std::int64_t seq = 2;
        tell(job, seq, step::kVerifyArtifacts, StepStatus::failed, reason::kRemoteCorrupt);
        Report last = world_.report(job.id, job.fence, ++seq, ReportKind::finished);
        last.finished.emplace();
        last.finished->outcome = JobOutcome::failed;
        last.finished->reason = reason::kRemoteCorrupt;
        EXPECT_FALSE(world_.send(last).refused);
    }
    std::optional<alerts::Alert> alarm() {
        const auto page = alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {100, 0}}).value();
        for (const alerts::Alert& alert : page.items) {
            if (alert.type == alerts::type::kVerificationFailed && !alert.resolved_at) return alert;
        }
        return std::nullopt;
    }
    World world_;
};

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
    for (int hours = 0; hours < 100 * 24; hours += 12) {
        pass(12 * kHour);
        const bool away = hours / 24 >= 40 && hours / 24 < 45;
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
        ASSERT_GE(rows->integer(0), world_.now - (hours / 24 >= 45 ? 37 : 32) * kDay);
    }
    EXPECT_EQ(looks, 3 * kBackups);
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
