#include "control-plane/dispatch/rules.h"

#include <gtest/gtest.h>

namespace backstay::dispatch {
namespace {

constexpr TimeMs kStart = 1'000'000'000;

Job queued(const std::string& kind = "backup") {
    Job job;
    job.id = "j";
    job.kind = kind;
    job.created_at = job.not_before = job.waiting_since = kStart;
    return job;
}

Job running(const std::string& kind = "backup") {
    Job job = hand_out(queued(kind), kStart);
    accept(job, kStart);
    return job;
}

TEST(Dispatch, HandsOutWithARisingFence) {
    Job job = queued();
    ASSERT_TRUE(may_hand_out(job, kStart, kStart));
    job = hand_out(job, kStart);
    EXPECT_EQ(job.fence, 1);
    EXPECT_EQ(job.state, JobState::leased);
    EXPECT_FALSE(may_hand_out(job, kStart, kStart));
    job.seq = 7;
    job.state = JobState::queued;
    job = hand_out(job, kStart);
    EXPECT_EQ(job.fence, 2);
    EXPECT_EQ(job.seq, 0);
}

TEST(Dispatch, OffersAnUnacceptedAssignmentAgainAfterAWhile) {
    Job job = hand_out(queued(), kStart);
    EXPECT_FALSE(due_to_tell(job, kStart + kOfferAgainMs - 1));
    EXPECT_TRUE(due_to_tell(job, kStart + kOfferAgainMs));
    EXPECT_TRUE(due_to_tell(job, kStart - 1)) << "the clock went back";
    accept(job, kStart);
    EXPECT_FALSE(due_to_tell(job, kStart + kHour));
}

TEST(Dispatch, NeverHandsOutBeforeItsTimeOrAfterACancel) {
    Job job = queued();
    job.not_before = kStart + 10;
    EXPECT_FALSE(may_hand_out(job, kStart + 9, kStart));
    EXPECT_TRUE(may_hand_out(job, kStart + 10, kStart));
    job.cancel_requested = true;
    EXPECT_FALSE(may_hand_out(job, kStart + 10, kStart));
}

TEST(Lease, IsRenewedByItsHolderOnly) {
    Job job = running();
    EXPECT_TRUE(renew(job, 1, kStart + kMinute));
    EXPECT_EQ(job.lease_until, kStart + kMinute + kLeaseMs);
    EXPECT_FALSE(renew(job, 0, kStart + kMinute));
    EXPECT_FALSE(renew(job, 2, kStart + kMinute));
}

TEST(Lease, EndsInANewOfferAndCountsTheAttempt) {
    Job job = running();
    EXPECT_EQ(sweep(job, kStart + kLeaseMs - 1, kStart).what, Sweep::nothing);
    const SweepResult result = sweep(job, kStart + kLeaseMs, kStart);
    EXPECT_EQ(result.what, Sweep::requeue);
    EXPECT_EQ(result.reason, "agent_offline");
    EXPECT_EQ(job.state, JobState::queued);
    EXPECT_EQ(job.attempt, 2);
    EXPECT_EQ(job.not_before, kStart + kLeaseMs + kMinute);
}

TEST(Lease, OfAJobNeverAcceptedDoesNotCountAnAttempt) {
    Job job = hand_out(queued(), kStart);
    EXPECT_EQ(sweep(job, kStart + kLeaseMs, kStart).what, Sweep::requeue);
    EXPECT_EQ(job.attempt, 1);
    EXPECT_EQ(job.not_before, kStart + kLeaseMs);
}

// The agent was cut off, not dead: before the job goes out again it has the chance to say that it still works on it.
TEST(Lease, ThatEndedGoesBackToAHolderWhoComesBackFirst) {
    Job job = running();
    sweep(job, kStart + kLeaseMs, kStart);
    const TimeMs later = kStart + kHour;
    EXPECT_FALSE(may_hand_out(job, later, kStart)) << "the agent has not been heard of since";
    Job kept = job;
    EXPECT_TRUE(renew(kept, 1, later));
    EXPECT_EQ(kept.state, JobState::accepted);
    EXPECT_EQ(kept.attempt, 1);
    EXPECT_EQ(kept.fence, 1);
    EXPECT_TRUE(may_hand_out(job, later, later - 1)) << "its heartbeat did not name the job";
    job = hand_out(job, later);
    EXPECT_FALSE(renew(job, 1, later)) << "an older fence";
}

TEST(Lease, StartsAnewAfterTheControlPlaneWasAway) {
    Job job = running();
    restart_lease(job, kStart + kHour);
    EXPECT_EQ(sweep(job, kStart + kHour + kLeaseMs - 1, 0).what, Sweep::nothing);
    Job waiting = queued();
    restart_lease(waiting, kStart + kHour);
    EXPECT_FALSE(waiting.lease_until.has_value());
}

TEST(Lease, OfARestoreWaitsForItsHolderAndItsResult) {
    Job job = running("restore");
    EXPECT_EQ(sweep(job, kStart + kLeaseMs, kStart).what, Sweep::wait);
    EXPECT_EQ(sweep(job, kStart + kHour, kStart).what, Sweep::nothing);
    EXPECT_FALSE(may_hand_out(job, kStart + kHour, kStart)) << "nobody else may make it";
    EXPECT_TRUE(renew(job, 1, kStart + kHour)) << "its reports are taken again";
    EXPECT_EQ(sweep(job, kStart + kHour + 1, kStart + kHour).what, Sweep::nothing);
    EXPECT_EQ(job.state, JobState::accepted);
}

TEST(Lease, OfARestoreEndsWhenItsAgentStaysAwayForADay) {
    Job job = running("restore");
    const TimeMs lost = kStart + kLeaseMs;
    ASSERT_EQ(sweep(job, lost, kStart).what, Sweep::wait);
    EXPECT_EQ(sweep(job, lost + kUnclaimedMs - 1, kStart).what, Sweep::nothing);
    const SweepResult result = sweep(job, lost + kUnclaimedMs, kStart);
    EXPECT_EQ(result.what, Sweep::fail);
    EXPECT_EQ(result.reason, "agent_offline");
    EXPECT_EQ(job.state, JobState::finished);
}

TEST(Lease, OfARestoreEndsWhenItsAgentIsBackWithoutIt) {
    Job job = running("undo");
    ASSERT_EQ(sweep(job, kStart + kLeaseMs, kStart).what, Sweep::wait);
    const TimeMs back = kStart + kHour;
    EXPECT_EQ(sweep(job, back + 1, back).what, Sweep::wait) << "one more lease, for what it still has to report";
    EXPECT_EQ(sweep(job, back + kLeaseMs, back + kMinute).what, Sweep::nothing);
    EXPECT_EQ(sweep(job, back + 1 + kLeaseMs, back + kMinute).what, Sweep::fail);
}

TEST(Retry, ComesAfterOneFiveAndFifteenMinutesAndThenNotAgain) {
    Job job = running();
    TimeMs now = kStart;
    for (const std::int64_t minutes : {1, 5, 15}) {
        EXPECT_EQ(end_attempt(job, {"failed", "destination_unreachable", true}, now), Next::retry);
        EXPECT_EQ(job.not_before, now + minutes * kMinute);
        now = job.not_before;
        job = hand_out(job, now);
        accept(job, now);
    }
    EXPECT_EQ(job.attempt, 4);
    EXPECT_EQ(end_attempt(job, {"failed", "destination_unreachable", true}, now), Next::finished);
    EXPECT_EQ(job.outcome, "failed");
    EXPECT_EQ(job.reason, "destination_unreachable");
}

TEST(Retry, IsNotForCausesThatStay) {
    for (const char* reason : {"db_auth_failed", "db_not_found", "pg_tool_too_old"}) {
        Job job = running();
        EXPECT_EQ(end_attempt(job, {"failed", reason, false}, kStart), Next::finished) << reason;
    }
}

TEST(Retry, FollowsAnAgentThatWasRestartedButNotARestore) {
    Job backup = running();
    EXPECT_EQ(end_attempt(backup, {"interrupted", "agent_restarted", false}, kStart), Next::retry);
    Job restore = running("restore");
    EXPECT_EQ(end_attempt(restore, {"interrupted", "agent_restarted", true}, kStart), Next::finished);
    EXPECT_EQ(restore.outcome, "failed");
}

TEST(Retry, OfADeletionNeverGivesUp) {
    EXPECT_EQ(retry_delay_ms("delete", 1), kMinute);
    EXPECT_EQ(retry_delay_ms("delete", 1000), kHour);
    EXPECT_EQ(retry_delay_ms("backup", 0), kMinute);
    Job job = queued("delete");
    EXPECT_EQ(sweep(job, kStart + 90 * 24 * kHour, 0).what, Sweep::nothing);
}

TEST(Retry, IsNotForJobsThatTheAgentStartedByItself) {
    Job job = running();
    job.fence = 0;
    EXPECT_EQ(end_attempt(job, {"failed", "destination_unreachable", true}, kStart), Next::finished);
}

TEST(Waiting, EndsAfterADayWithoutTheAgent) {
    Job job = queued();
    EXPECT_EQ(sweep(job, kStart + kUnclaimedMs - 1, 0).what, Sweep::nothing);
    EXPECT_EQ(sweep(job, kStart + kUnclaimedMs, kStart + 1).what, Sweep::nothing) << "the agent is there, only busy";
    const SweepResult result = sweep(job, kStart + kUnclaimedMs, 0);
    EXPECT_EQ(result.what, Sweep::fail);
    EXPECT_EQ(result.reason, "agent_offline");
}

TEST(Sweep, EndsAnAgentsOwnJobThatTheAgentDoesNotKnowAnyMore) {
    Job job = running();
    job.fence = 0;
    job.lease_until.reset();
    job.started_at = job.moved_at = kStart;
    const TimeMs back = kStart + 10 * kHour;
    // It was away, and comes back: what it kept is on its way.
    EXPECT_EQ(sweep(job, back, back).what, Sweep::wait);
    Job named = job;
    ASSERT_TRUE(renew(named, 0, back + kMinute));
    EXPECT_EQ(sweep(named, back + kNoProgressMs, back + kMinute).what, Sweep::nothing);
    Job told = job;
    told.moved_at = back + kMinute;
    EXPECT_EQ(sweep(told, back + kNoProgressMs, back + kNoProgressMs).what, Sweep::nothing);
    EXPECT_EQ(sweep(job, back + kNoProgressMs - 1, back + kNoProgressMs - 1).what, Sweep::nothing);
    Job away = job;
    EXPECT_EQ(sweep(away, back + kNoProgressMs, back + kMinute).what, Sweep::nothing) << "it is away again";
    const SweepResult result = sweep(job, back + kNoProgressMs, back + kNoProgressMs);
    EXPECT_EQ(result.what, Sweep::fail);
    EXPECT_EQ(result.reason, "agent_offline");
    EXPECT_EQ(job.state, JobState::finished);
}

TEST(Waiting, OfAnAgentsOwnJobIsPatientForADay) {
    Job job = running();
    job.fence = 0;
    job.lease_until.reset();
    EXPECT_EQ(sweep(job, kStart + kUnclaimedMs - 1, kStart).what, Sweep::nothing);
    EXPECT_TRUE(renew(job, 0, kStart));
    EXPECT_EQ(sweep(job, kStart + kUnclaimedMs, kStart).what, Sweep::fail);
}

TEST(Watchdog, FailsAJobThatMovesNothing) {
    Job job = running();
    renew(job, 1, kStart + kNoProgressMs - 1);
    EXPECT_EQ(sweep(job, kStart + kNoProgressMs - 1, 0).what, Sweep::nothing);
    const SweepResult result = sweep(job, kStart + kNoProgressMs, 0);
    EXPECT_EQ(result.what, Sweep::fail);
    EXPECT_EQ(result.reason, "timeout");
}

TEST(Watchdog, FailsAJobThatTakesTooLong) {
    Job job = running();
    const TimeMs end = kStart + kBackupTimeoutMs;
    renew(job, 1, end);
    job.moved_at = end;
    EXPECT_EQ(sweep(job, end - 1, 0).what, Sweep::nothing);
    EXPECT_EQ(sweep(job, end, 0).reason, "timeout");
    EXPECT_EQ(job.message, "it took longer than 360 minutes");
    EXPECT_EQ(sweep(job, end + kHour, 0).what, Sweep::nothing) << "it is finished";
}

TEST(Cancel, OfAQueuedJobIsDoneAtOnce) {
    Job job = queued();
    EXPECT_TRUE(request_cancel(job));
    EXPECT_EQ(job.state, JobState::finished);
    EXPECT_EQ(job.outcome, "cancelled");
    EXPECT_TRUE(request_cancel(job));
}

TEST(Cancel, OfARunningJobIsToldUntilTheAgentReports) {
    Job job = running();
    EXPECT_FALSE(request_cancel(job));
    EXPECT_TRUE(due_to_tell(job, kStart));
    job.told_at = kStart;
    EXPECT_FALSE(due_to_tell(job, kStart + 1));
    EXPECT_TRUE(due_to_tell(job, kStart + kOfferAgainMs));
    EXPECT_EQ(end_attempt(job, {"failed", "internal_error", true}, kStart), Next::cancelled);
    EXPECT_EQ(job.outcome, "cancelled");
}

TEST(Cancel, ThatCameTooLateLeavesTheSuccess) {
    Job job = running();
    request_cancel(job);
    EXPECT_EQ(end_attempt(job, {"succeeded", "", false}, kStart), Next::finished);
    EXPECT_EQ(job.outcome, "succeeded");
}

TEST(Cancel, IsDoneWhenTheAgentVanishes) {
    Job job = running();
    request_cancel(job);
    EXPECT_EQ(sweep(job, kStart + kLeaseMs, 0).what, Sweep::cancel);
    EXPECT_EQ(job.outcome, "cancelled");
}

TEST(Identity, IsOnesAsLongAsTheFirstIsAlive) {
    const AgentSession first{"one", kStart, false};
    EXPECT_FALSE(is_duplicate({}, "one", kStart));
    EXPECT_FALSE(is_duplicate(first, "one", kStart));
    EXPECT_TRUE(is_duplicate(first, "two", kStart + kAliveMs - 1));
    EXPECT_FALSE(is_duplicate(first, "two", kStart + kAliveMs));
    EXPECT_FALSE(is_duplicate({"one", kStart, true}, "two", kStart)) << "its connection broke: it ended";
}

TEST(Identity, PassesAtOnceToTheNextProcessOfTheSameInstallation) {
    const AgentSession first{"here.one", kStart, false};
    EXPECT_FALSE(is_duplicate(first, "here.two", kStart));
    EXPECT_TRUE(is_duplicate(first, "there.two", kStart));
    EXPECT_TRUE(is_duplicate(first, "here", kStart));
    EXPECT_TRUE(is_duplicate({".one", kStart, false}, ".two", kStart));
}

TEST(Kinds, QuickOnesNeedNoSlot) {
    EXPECT_TRUE(is_quick("delete"));
    EXPECT_TRUE(is_quick("undo"));
    EXPECT_TRUE(is_quick("test_destination"));
    EXPECT_FALSE(is_quick("backup"));
    EXPECT_FALSE(is_quick("restore"));
}

}  // namespace
}  // namespace backstay::dispatch
