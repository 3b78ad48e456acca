#include "control-plane/dispatch/desk.h"

#include <gmock/gmock.h>

#include "control-plane/operations/lifecycle.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

OperationPlan plan_of(const std::vector<std::string>& destinations = {"d1"}) {
    return plan_backup("full", destinations, false);
}

TEST(Desk, KeepsNoSecretAndAddsItWhenTheJobGoesOut) {
    World world;
    const std::string id = world.order_backup();
    EXPECT_THAT(world.job(id).order, ::testing::Not(HasSubstr("/secret")));
    const auto answer = world.ask();
    ASSERT_EQ(answer.assignments.size(), 1U);
    const auto& order = answer.assignments[0].order;
    EXPECT_EQ(order.at("destinations").at(0).at("config").at("path").as_string(), "/backups");
    EXPECT_EQ(answer.assignments[0].fence, 1);
}

TEST(Desk, HandsOutNoSecondJobOfOneDatabaseAndNoMoreThanThereAreSlots) {
    World world;
    world.order_backup();
    world.order_backup();
    EXPECT_EQ(world.ask(4).assignments.size(), 1U);
    EXPECT_EQ(world.ask(4).assignments.size(), 0U);
}

TEST(Desk, FailsAJobWhoseDestinationIsGone) {
    World world;
    const std::string id = world.order_backup({"gone"});
    EXPECT_TRUE(world.ask().assignments.empty());
    EXPECT_EQ(world.backup(id).status, "failed");
    EXPECT_EQ(world.evidence(id).reason, "no_destination");
}

TEST(Desk, WaitsWhenADestinationCannotBeLookedUpForNow) {
    World world;
    const std::string id = world.order_backup();
    world.opening_fails = Error(Errc::unavailable, "the store is busy");
    EXPECT_TRUE(world.ask().assignments.empty());
    EXPECT_EQ(world.job(id).state, JobState::queued);
    EXPECT_EQ(world.job(id).fence, 0);
    EXPECT_EQ(world.backup(id).status, "pending");
    world.opening_fails.reset();
    EXPECT_TRUE(world.ask().assignments.empty()) << "not asked again at once";
    world.now += kOpenAgainMs;
    ASSERT_EQ(world.ask().assignments.size(), 1U);
    EXPECT_EQ(world.job(id).fence, 1);
}

TEST(Desk, GivesUpADestinationThatCannotBeLookedUpForADay) {
    World world;
    const std::string id = world.order_backup();
    world.opening_fails = Error(Errc::io, "the store does not answer");
    world.ask();
    world.now += kUnclaimedMs;
    world.ask();
    EXPECT_EQ(world.backup(id).status, "failed");
    EXPECT_EQ(world.evidence(id).reason, "internal_error");
}

TEST(Desk, FailsAJobWhoseDestinationIsSealedUnderAnotherKeyByItsOwnName) {
    World world;
    const std::string id = world.order_backup();
    world.opening_fails = Error(Errc::corrupted, "open the configuration of destination d: wrong key");
    EXPECT_TRUE(world.ask().assignments.empty());
    EXPECT_EQ(world.backup(id).status, "failed");
    EXPECT_EQ(world.evidence(id).reason, "internal_error") << "it exists, so no_destination would be a lie";
}

TEST(Desk, OffersAnAssignmentAgainLaterWhenItsDestinationCannotBeLookedUpForNow) {
    World world;
    const std::string id = world.order_backup();
    ASSERT_EQ(world.ask().assignments.size(), 1U);
    world.now += kOfferAgainMs;
    world.opening_fails = Error(Errc::timed_out, "the store is busy");
    EXPECT_TRUE(world.ask().assignments.empty());
    EXPECT_EQ(world.job(id).state, JobState::leased);
    world.opening_fails.reset();
    world.now += kOfferAgainMs;
    EXPECT_EQ(world.ask().assignments.size(), 1U);
}

TEST(Desk, FollowsABackupFromOrderToGreen) {
    World world;
    const std::string id = world.order_backup();
    EXPECT_EQ(world.backup(id).status, "pending");
    EXPECT_EQ(world.evidence(id).status, "pending");
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    EXPECT_EQ(world.backup(id).status, "running");
    world.testify(id, 1, 1, plan_of());
    const auto row = world.backup(id);
    EXPECT_EQ(row.status, "completed");
    EXPECT_EQ(row.size_bytes, 77);
    EXPECT_EQ(row.folder, "v1/a/b/c");
    EXPECT_TRUE(row.verified_at.has_value());
    const auto evidence = world.evidence(id);
    EXPECT_EQ(evidence.status, "green");
    EXPECT_TRUE(evidence.can_write_clean_success);
    ASSERT_TRUE(evidence.progress.has_value());
    EXPECT_TRUE(evidence.progress->done);
    EXPECT_EQ(evidence.progress->percent, 100);
    const auto events = operations::events_after(world.db(), id, 0).value();
    EXPECT_THAT(events.back().payload, HasSubstr("\"done\":true"));
    for (std::size_t i = 1; i < events.size(); ++i) EXPECT_EQ(events[i].id, events[i - 1].id + 1);
}

TEST(Reports, AreTakenOnceAndInOrder) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    EXPECT_EQ(world.send(world.report(id, 1, 2, ReportKind::accepted)).seq, 0) << "a hole";
    EXPECT_EQ(world.send(world.report(id, 1, 1, ReportKind::accepted)).seq, 1);
    EXPECT_EQ(world.send(world.report(id, 1, 1, ReportKind::finished)).seq, 1) << "a repetition changes nothing";
    EXPECT_EQ(world.backup(id).status, "running");
}

TEST(Reports, OfABackupByHandThatIsToldAgainMakeItPermanent) {
    World world;
    for (const bool again : {false, true}) {
        const std::string id = again ? "again" : "first";
        Report report = world.report("job-" + id, 0, 1, ReportKind::declared);
        json::Object order{{"backupId", id}, {"scope", "full"}, {"trigger", "manual"}};
        if (again) order["toldAgain"] = true;
        report.declared = control_plane::JobDeclaration{"backup", order, "socket"};
        ASSERT_FALSE(world.send(report).refused);
        const auto row = operations::find_backup_row(world.db(), id).value().value();
        EXPECT_EQ(row.retention, again ? "permanent" : "default");
    }
}

TEST(Reports, OfAJobThatHasEndedHereAreRefusedAlsoBehindAHole) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    ASSERT_EQ(world.send(world.report(id, 1, 1, ReportKind::accepted)).seq, 1);
    auto job = find_job(world.db(), id).value().value();
    finish(job, "failed", "agent_restarted", "");
    ASSERT_TRUE(update_job(world.db(), job));
    EXPECT_FALSE(world.send(world.report(id, 1, 1, ReportKind::accepted)).refused) << "it was taken before";
    EXPECT_TRUE(world.send(world.report(id, 1, 3, ReportKind::finished)).refused);
    EXPECT_TRUE(world.send(world.report(id, 1, 2, ReportKind::finished)).refused);
}

TEST(Reports, ThatCannotBeTakenAreRejectedAloneAndTheOthersTaken) {
    World world;
    const std::string bad = world.order_backup();
    world.ask();
    world.send(world.report(bad, 1, 1, ReportKind::accepted));
    Report step = world.report(bad, 1, 2, ReportKind::step);
    step.step.emplace();
    step.step->name = std::string(step::kPreflight);
    EXPECT_FALSE(world.send(step).refused);
    // A row that cannot be read any more: judging this operation fails whenever it is tried.
    ASSERT_TRUE(world.db().run("UPDATE steps SET record = '{'", {}));
    step.seq = 3;
    step.step->name = std::string(step::kDbDump);
    Report declared = world.report(new_uuid(), 0, 1, ReportKind::declared);
    declared.declared.emplace();
    declared.declared->kind = "verify";
    auto transaction = sql::Transaction::begin(world.db()).value();
    const auto answer = take_reports(world.db(), world.agent, {"one", {step, declared}}, world.now, world.stir);
    ASSERT_TRUE(answer) << answer.error().message();
    ASSERT_TRUE(transaction.commit());
    ASSERT_EQ(answer->acks.size(), 2U);
    for (const auto& ack : answer->acks) {
        if (ack.job_id == bad) {
            EXPECT_FALSE(ack.refused);
            EXPECT_EQ(ack.seq, 3) << "its number counts: the next one follows";
            ASSERT_EQ(ack.rejected.size(), 1U);
            EXPECT_EQ(ack.rejected[0].seq, 3);
            EXPECT_NE(ack.rejected[0].code, "");
        } else {
            EXPECT_EQ(ack.seq, 1);
            EXPECT_TRUE(ack.rejected.empty());
        }
    }
    EXPECT_EQ(world.job(bad).seq, 3);
    EXPECT_EQ(operations::steps_of(world.db(), bad).error().code(), Errc::invalid) << "still there";
    auto kept = world.db().query("SELECT COUNT(*) FROM steps");
    ASSERT_TRUE(kept && kept->step());
    EXPECT_EQ(kept->integer(0), 1) << "nothing of the rejected one stays";
}

TEST(Reports, ThatDeclareWhatTheStoreRefusesLeaveNothingBehind) {
    World world;
    Report declared = world.report(new_uuid(), 0, 1, ReportKind::declared);
    declared.declared.emplace();
    declared.declared->kind = "backup";
    declared.declared->order = json::Object{{"backupId", new_uuid()}, {"scope", "everything"}};
    EXPECT_TRUE(world.send(declared).refused);
    EXPECT_FALSE(find_job(world.db(), declared.job_id).value());
}

TEST(Reports, OfTheEndThatCannotBeReadFailTheJob) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    const Report last = world.report(id, 1, 2, ReportKind::finished);
    auto transaction = sql::Transaction::begin(world.db()).value();
    const auto answer =
        take_reports(world.db(), world.agent, {"one", {last}}, world.now, world.stir, {{0, "finished.outcome: what?"}});
    ASSERT_TRUE(answer);
    ASSERT_TRUE(transaction.commit());
    ASSERT_EQ(answer->acks[0].rejected.size(), 1U);
    EXPECT_EQ(answer->acks[0].rejected[0].code, "not_understood");
    EXPECT_EQ(world.backup(id).status, "failed");
    EXPECT_EQ(world.evidence(id).reason, "internal_error");
    EXPECT_EQ(world.job(id).state, JobState::finished);
}

TEST(Reports, UnderAnOlderNumberAreRefused) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.now += kLeaseMs;
    ASSERT_TRUE(world.sweep());
    world.now += 1;
    ASSERT_TRUE(world.beat({}));
    ASSERT_EQ(world.ask().assignments.at(0).fence, 2);
    EXPECT_TRUE(world.send(world.report(id, 1, 1, ReportKind::accepted)).refused);
    EXPECT_TRUE(world.send(world.report(id, 3, 1, ReportKind::accepted)).refused);
    EXPECT_FALSE(world.send(world.report(id, 2, 1, ReportKind::accepted)).refused);
}

TEST(Reports, OfAJobOfAnotherAgentOrOfNoneAreRefused) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    EXPECT_TRUE(world.send(world.report(new_uuid(), 1, 1, ReportKind::accepted)).refused);
    world.agent.id = new_uuid();
    EXPECT_TRUE(world.send(world.report(id, 1, 1, ReportKind::accepted)).refused);
}

TEST(Retries, BeginWithACleanPage) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    Report step = world.report(id, 1, 2, ReportKind::step);
    step.step.emplace();
    step.step->name = "preflight";
    step.step->status = StepStatus::failed;
    world.send(step);
    Report last = world.report(id, 1, 3, ReportKind::finished);
    last.finished.emplace();
    last.finished->reason = "destination_unreachable";
    last.finished->error_message = "no route";
    last.finished->transient = true;
    world.send(last);
    EXPECT_EQ(world.backup(id).status, "pending");
    EXPECT_EQ(world.job(id).not_before, world.now + kMinute);
    world.now += kMinute;
    world.ask();
    world.send(world.report(id, 2, 1, ReportKind::accepted));
    EXPECT_TRUE(operations::steps_of(world.db(), id).value().empty());
    world.testify(id, 2, 1, plan_of());
    EXPECT_EQ(world.backup(id).status, "completed");
}

TEST(Silence, GivesAJobBackToAnAgentThatComesBackFirst) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    world.now += kLeaseMs;
    ASSERT_TRUE(world.sweep());
    EXPECT_EQ(world.backup(id).status, "pending");
    world.now += kHour;
    EXPECT_TRUE(world.beat({{id, 1}}).value().lost.empty());
    EXPECT_EQ(world.backup(id).status, "running");
    world.testify(id, 1, 1, plan_of());
    EXPECT_EQ(world.backup(id).status, "completed");
}

TEST(Silence, LosesALeaseThatAnotherProcessHasNow) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.now += kLeaseMs;
    ASSERT_TRUE(world.sweep());
    world.now += 1;
    ASSERT_TRUE(world.beat({}, "two"));
    ASSERT_EQ(world.ask(1, "two").assignments.size(), 1U);
    world.now += kAliveMs;
    const auto answer = world.beat({{id, 1}}).value();
    ASSERT_EQ(answer.lost.size(), 1U);
    EXPECT_EQ(answer.lost[0].fence, 1);
}

TEST(Identity, IsRefusedToASecondProcess) {
    World world;
    ASSERT_TRUE(world.beat({}));
    const auto refused = world.beat({}, "two");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_EQ(refused.error().reason(), "duplicate_agent");
}

TEST(Cancel, OfAWaitingJobEndsItAndOfARunningOneTellsItsAgent) {
    World world;
    const std::string waiting = world.order_backup();
    EXPECT_TRUE(cancel_job(world.db(), waiting, world.now, world.stir).value());
    EXPECT_EQ(world.backup(waiting).status, "cancelled");
    EXPECT_EQ(world.evidence(waiting).reason, "cancelled");

    const std::string running = world.order_backup();
    world.ask();
    world.send(world.report(running, 1, 1, ReportKind::accepted));
    EXPECT_FALSE(cancel_job(world.db(), running, world.now, world.stir).value());
    EXPECT_THAT(world.ask().cancel, ElementsAre(running));
    Report last = world.report(running, 1, 2, ReportKind::finished);
    last.finished.emplace();
    last.finished->outcome = JobOutcome::cancelled;
    world.send(last);
    EXPECT_EQ(world.backup(running).status, "cancelled");
}

TEST(Restart, GivesEveryLeaseAnew) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    world.now += kHour;
    ASSERT_TRUE(restart_leases(world.db(), world.now));
    ASSERT_TRUE(world.sweep());
    EXPECT_EQ(world.backup(id).status, "running");
}

TEST(Partial, IsAmberAndACopyMakesItGreen) {
    World world;
    const std::string id = world.order_backup({"d1", "d2"});
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    world.testify(id, 1, 1, plan_of({"d1", "d2"}), "d2");
    EXPECT_EQ(world.backup(id).status, "partial");
    EXPECT_EQ(world.evidence(id).reason, "remote_copy_partial");

    NewJob copy;
    copy.kind = "copy";
    copy.agent_id = world.agent.id;
    copy.operation.id = new_ordered_uuid();
    copy.operation.kind = operations::Kind::copy;
    copy.operation.organization_id = world.organization_id;
    copy.operation.backup_id = id;
    ASSERT_TRUE(enqueue(world.db(), copy, world.now, world.stir));
    const std::string job = copy.operation.id;
    ASSERT_EQ(world.ask().assignments.size(), 1U);
    world.send(world.report(job, 1, 1, ReportKind::accepted));
    OperationPlan only;
    only.destination_ids = {"d2"};
    only.artifacts = plan_of().artifacts;
    world.testify(job, 1, 1, only);
    EXPECT_EQ(world.backup(id).status, "completed");
    EXPECT_EQ(world.evidence(id).status, "green");
}

TEST(Deletion, HidesTheBackupOnceEveryCopyIsGone) {
    World world;
    const std::string id = world.order_backup();
    world.ask();
    world.send(world.report(id, 1, 1, ReportKind::accepted));
    world.testify(id, 1, 1, plan_of());
    NewJob removal;
    removal.kind = "delete";
    removal.agent_id = world.agent.id;
    removal.operation.id = new_ordered_uuid();
    removal.operation.kind = operations::Kind::deletion;
    removal.operation.organization_id = world.organization_id;
    removal.operation.backup_id = id;
    ASSERT_TRUE(enqueue(world.db(), removal, world.now, world.stir));
    ASSERT_EQ(world.ask(0).assignments.size(), 1U) << "deletions need no slot";
    world.send(world.report(removal.operation.id, 1, 1, ReportKind::accepted));
    Report last = world.report(removal.operation.id, 1, 2, ReportKind::finished);
    last.finished.emplace();
    last.finished->outcome = JobOutcome::succeeded;
    world.send(last);
    EXPECT_TRUE(world.backup(id).deleted_at.has_value());
    EXPECT_FALSE(operations::find_backup(world.db(), world.organization_id, id).value().has_value());
}

TEST(Declared, JobsOfTheAgentGetRowsOfTheirOwn) {
    World world;
    Report report = world.report(new_uuid(), 0, 1, ReportKind::declared);
    BackupOrder order;
    order.backup_id = new_uuid();
    order.scope = "db";
    order.trigger = "manual";
    order.environment.database = "shop";
    report.operation_id = order.backup_id;
    report.declared.emplace();
    report.declared->kind = "backup";
    report.declared->origin = "socket";
    report.declared->order = json::encode(order).as_object();
    EXPECT_FALSE(world.send(report).refused);
    EXPECT_EQ(world.send(report).seq, 1) << "told twice";
    const auto row = world.backup(order.backup_id);
    EXPECT_EQ(row.status, "running");
    EXPECT_EQ(row.environment_id, world.environment.id);
    EXPECT_EQ(row.performed_by, "agent:db1");
    Report planned = world.report(report.job_id, 0, 2, ReportKind::planned);
    planned.operation_id = order.backup_id;
    planned.plan = plan_backup("db", {"d1"}, false);
    EXPECT_EQ(world.send(planned).seq, 2);
    world.testify(report.job_id, 0, 2, *planned.plan);
    EXPECT_EQ(world.backup(order.backup_id).status, "completed");
}

}  // namespace
}  // namespace backstay::dispatch
