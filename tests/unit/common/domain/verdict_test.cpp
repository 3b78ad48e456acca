#include "common/domain/verdict.h"

#include <gmock/gmock.h>

#include "tests/unit/common/domain/evidence_inputs.h"

namespace backstay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Verdict, IsGreenOnlyWhenEveryStepProofAndCopyIsThere) {
    const EvidenceInput input = all_proven(plan_backup("full", {kS3}, true));
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "green");
    EXPECT_EQ(verdict.reason, "ok");
    EXPECT_EQ(verdict.remote_copy_state, "verified");
    EXPECT_TRUE(verdict.can_write_clean_success);
    EXPECT_THAT(verdict.why_not_green, IsEmpty());
    EXPECT_EQ(verdict.why_green.size(), input.steps.size());
    EXPECT_EQ(verdict.artifact_checksums.at("db"), "sha256:" + std::string(64, 'a'));
    EXPECT_EQ(verdict.artifact_paths.at("db"), "db.zst");
    EXPECT_EQ(row_status(input, verdict), "completed");
}

// The property behind the rule: whatever single piece is taken away, the verdict is no longer green and says why.
TEST(Verdict, LosesGreenWhenAnySinglePieceIsTakenAway) {
    const EvidenceInput whole = all_proven(plan_backup("full", {kS3, kSftp}, true));
    const auto not_green = [](const EvidenceInput& input, const std::string& taken) {
        const RecoveryEvidence verdict = judge(input);
        EXPECT_FALSE(verdict.can_write_clean_success) << taken;
        EXPECT_NE(verdict.status, "green") << taken;
        EXPECT_NE(verdict.reason, "ok") << taken;
        EXPECT_FALSE(verdict.why_not_green.empty()) << taken;
        EXPECT_NE(row_status(input, verdict), "completed") << taken;
    };
    for (std::size_t i = 0; i < whole.steps.size(); ++i) {
        if (!whole.steps[i].required) continue;
        EvidenceInput input = whole;
        input.steps.erase(input.steps.begin() + static_cast<std::ptrdiff_t>(i));
        not_green(input, whole.steps[i].name);
        input = whole;
        input.steps[i].status = StepStatus::failed;
        not_green(input, whole.steps[i].name + " failed");
        input.steps[i].status = StepStatus::skipped;
        not_green(input, whole.steps[i].name + " skipped");
        input.steps[i].status = StepStatus::running;
        not_green(input, whole.steps[i].name + " running");
    }
    for (std::size_t i = 0; i < whole.plan.required_proofs.size(); ++i) {
        EvidenceInput input = whole;
        std::erase(input.steps.back().proofs, whole.plan.required_proofs[i]);
        not_green(input, whole.plan.required_proofs[i]);
    }
    for (std::size_t i = 0; i < whole.copies.size(); ++i) {
        for (const CopyState state : {CopyState::pending, CopyState::uploading, CopyState::uploaded, CopyState::failed,
                                      CopyState::missing, CopyState::corrupt, CopyState::deleting}) {
            EvidenceInput input = whole;
            input.copies[i].state = state;
            not_green(input, whole.copies[i].artifact + boost::describe::enum_to_string(state, ""));
        }
        EvidenceInput input = whole;
        input.copies.erase(input.copies.begin() + static_cast<std::ptrdiff_t>(i));
        not_green(input, whole.copies[i].artifact);
        input = whole;
        input.copies[i].key.clear();
        not_green(input, whole.copies[i].artifact + " without a key");
    }
}

// The first worked example of the contract's meaning (semantics 4.5).
TEST(Verdict, IsAmberWhenTheSecondDestinationRefused) {
    EvidenceInput input = all_proven(plan_backup("full", {kS3, kSftp}, false));
    fail_step(input, "remote_upload:" + kSftp, "SFTP server refused the key", "destination_auth_failed");
    set_copies(input, kSftp, CopyState::failed, "SFTP server refused the key");
    step_of(input, "db_dump").summary = "1.2 GB custom dump, 913 TOC entries";
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "amber");
    EXPECT_EQ(verdict.reason, "remote_copy_partial");
    EXPECT_EQ(verdict.remote_copy_state, "partial");
    EXPECT_THAT(verdict.optional_failed_steps, ElementsAre("remote_upload:" + kSftp));
    EXPECT_THAT(verdict.blocking_steps, IsEmpty());
    EXPECT_THAT(verdict.missing_steps, IsEmpty());
    EXPECT_FALSE(verdict.can_write_clean_success);
    EXPECT_THAT(verdict.why_green, Contains("db_dump: 1.2 GB custom dump, 913 TOC entries"));
    EXPECT_THAT(verdict.why_not_green, ElementsAre("remote_upload:" + kSftp + ": SFTP server refused the key"));
    EXPECT_EQ(row_status(input, verdict), "partial");
}

// The second worked example: killed between upload and read-back.
TEST(Verdict, IsRedUntilTheUploadIsReadBack) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    std::erase_if(input.steps,
                  [](const StepRecord& s) { return s.name == "remote_verify" || s.name == "catalog_commit"; });
    set_copies(input, kS3, CopyState::uploaded);
    input.failure = "the agent was restarted";
    input.failure_reason = "agent_restarted";
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "red");
    EXPECT_EQ(verdict.reason, "agent_restarted");
    EXPECT_EQ(verdict.remote_copy_state, "uploaded");
    EXPECT_THAT(verdict.missing_steps, ElementsAre("remote_verify", "catalog_commit"));
    EXPECT_THAT(verdict.missing_evidence, Contains("remote_checksum:" + kS3 + ":db"));
    EXPECT_EQ(row_status(input, verdict), "failed");
}

TEST(Verdict, NamesNothingWhileTheOperationRuns) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    forget_step(input, "catalog_commit");
    input.phase = Phase::running;
    RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "in_progress");
    EXPECT_EQ(verdict.reason, "");
    EXPECT_FALSE(verdict.can_write_clean_success);
    EXPECT_THAT(verdict.why_not_green, IsEmpty());
    EXPECT_EQ(row_status(input, verdict), "running");
    input.phase = Phase::pending;
    input.steps.clear();
    verdict = judge(input);
    EXPECT_EQ(verdict.status, "pending");
    EXPECT_EQ(row_status(input, verdict), "pending");
    EXPECT_EQ(verdict.required_steps.front(), "preflight");
}

TEST(Verdict, GivesTheReasonOfTheBlockingStep) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    fail_step(input, "db_dump", "pg_dump: permission denied for table res_users", "db_dump_failed");
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "red");
    EXPECT_EQ(verdict.reason, "db_dump_failed");
    EXPECT_THAT(verdict.blocking_steps, ElementsAre("db_dump"));
    EXPECT_THAT(verdict.why_not_green, Contains("db_dump: pg_dump: permission denied for table res_users"));
}

TEST(Verdict, SaysFailedWhenAStepGaveNoReasonOfItsOwn) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    fail_step(input, "preflight", "", "");
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.reason, "internal_error");
    EXPECT_THAT(verdict.why_not_green, Contains("preflight: failed"));
}

TEST(Verdict, TellsWhyARequiredStepWasSkipped) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    step_of(input, "local_verify").status = StepStatus::skipped;
    step_of(input, "local_verify").summary = "pg_restore is not installed";
    const RecoveryEvidence verdict = judge(input);
    EXPECT_THAT(verdict.missing_steps, ElementsAre("local_verify"));
    EXPECT_THAT(verdict.why_not_green, Contains("local_verify: skipped, pg_restore is not installed"));
}

TEST(Verdict, IsAmberWhenTheFilestoreWasNotReconciled) {
    EvidenceInput input = all_proven(plan_backup("full", {kS3}, false));
    std::erase(input.steps.back().proofs, "filestore:reconciled");
    step_of(input, "filestore_reconcile").facts["missing filestore:reconciled"] = "2 files of attachments are missing";
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "amber");
    EXPECT_EQ(verdict.reason, "filestore_inconsistent");
    EXPECT_THAT(verdict.missing_evidence, ElementsAre("filestore:reconciled"));
    EXPECT_THAT(verdict.why_not_green, ElementsAre("filestore:reconciled: 2 files of attachments are missing"));
}

TEST(Verdict, ProofsOfAFailedStepDoNotCount) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    step_of(input, "catalog_commit").status = StepStatus::failed;
    EXPECT_THAT(judge(input).missing_evidence, Contains("artifact:db"));
}

TEST(Verdict, OfACancelledOperationIsRedAndNamed) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    input.phase = Phase::cancelled;
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "red");
    EXPECT_EQ(verdict.reason, "cancelled");
    EXPECT_FALSE(verdict.can_write_clean_success);
    EXPECT_FALSE(verdict.why_not_green.empty());
    EXPECT_EQ(row_status(input, verdict), "cancelled");
}

TEST(Verdict, OfARestoreAsksForNoCopies) {
    RestoreShape shape;
    shape.neutralize = true;
    EvidenceInput input = all_proven(plan_restore(shape));
    RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.remote_copy_state, "not_required");
    EXPECT_EQ(verdict.status, "green");
    EXPECT_EQ(row_status(input, verdict), "completed");
    fail_step(input, "neutralize", "2 mail servers are still active", "neutralize_failed");
    verdict = judge(input);
    EXPECT_EQ(verdict.status, "red");
    EXPECT_EQ(verdict.reason, "neutralize_failed");
    EXPECT_EQ(row_status(input, verdict), "failed");
}

TEST(Verdict, OfARestoreIsAmberWhenOnlyTheCleanUpFailed) {
    RestoreShape shape;
    shape.keep_previous = false;
    EvidenceInput input = all_proven(plan_restore(shape));
    input.steps.back().status = StepStatus::failed;
    input.steps.back().reason = "internal_error";
    step_of(input, "catalog_commit").proofs = input.plan.required_proofs;
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "amber");
    EXPECT_THAT(verdict.optional_failed_steps, ElementsAre("cleanup_previous"));
    EXPECT_EQ(row_status(input, verdict), "partial");
}

TEST(Verdict, OfARestoreThatWasPutBackIsRevertedAndNeverTalksOfCopies) {
    EvidenceInput input = all_proven(plan_restore({}));
    input.reverted = true;
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "red");
    EXPECT_EQ(verdict.reason, "superseded");
    EXPECT_THAT(verdict.why_not_green, ElementsAre("superseded: the previous database and filestore were put back"));
    EXPECT_EQ(row_status(input, verdict), "reverted");
}

TEST(Verdict, FallsBackToAnInternalErrorWhereNoCopyIsDue) {
    EvidenceInput input = all_proven(plan_restore({}));
    std::erase(input.steps.back().proofs, "catalog:row");
    EXPECT_EQ(judge(input).reason, "internal_error");
}

TEST(Verdict, AddsTheNotesToWhyGreen) {
    EvidenceInput input = all_proven(plan_restore({}));
    input.notes = {"stop_instance: not managed by the agent"};
    EXPECT_EQ(judge(input).why_green.back(), "stop_instance: not managed by the agent");
}

}  // namespace
}  // namespace backstay
