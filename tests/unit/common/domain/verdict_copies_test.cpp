#include <gmock/gmock.h>

#include "common/domain/verdict.h"
#include "tests/unit/common/domain/evidence_inputs.h"

namespace backstay {
namespace {

using testing::Contains;
using testing::ElementsAre;

struct CopiesCase {
    const char* name;
    std::vector<CopyState> s3;    // of db, config, manifest; shorter: no record
    std::vector<CopyState> sftp;  // likewise
    const char* state;
};

class RemoteCopyState : public testing::TestWithParam<CopiesCase> {};

using S = CopyState;
INSTANTIATE_TEST_SUITE_P(
    Table, RemoteCopyState,
    testing::Values(
        CopiesCase{"Nothing", {}, {}, "pending"},
        CopiesCase{"AllPending", {S::pending, S::pending, S::pending}, {}, "pending"},
        CopiesCase{"OneUploading", {S::uploading}, {}, "uploading"},
        CopiesCase{"OneUploaded", {S::uploaded}, {}, "uploading"},
        CopiesCase{"AllUploaded",
                   {S::uploaded, S::uploaded, S::uploaded},
                   {S::uploaded, S::uploaded, S::uploaded},
                   "uploaded"},
        CopiesCase{
            "Mixed", {S::verified, S::verified, S::verified}, {S::uploaded, S::uploaded, S::uploaded}, "uploaded"},
        CopiesCase{"AllVerified",
                   {S::verified, S::verified, S::verified},
                   {S::verified, S::verified, S::verified},
                   "verified"},
        CopiesCase{"OneFailed", {S::verified, S::verified, S::verified}, {S::failed}, "partial"},
        CopiesCase{"AllFailed", {S::failed, S::failed, S::failed}, {S::failed, S::failed, S::failed}, "failed"},
        CopiesCase{"FailedBeforeAnything", {S::failed}, {}, "failed"},
        CopiesCase{
            "OneMissing", {S::verified, S::verified, S::missing}, {S::verified, S::verified, S::verified}, "missing"},
        CopiesCase{"CorruptWins", {S::verified, S::corrupt, S::missing}, {}, "corrupt"},
        CopiesCase{
            "Deleting", {S::deleting, S::deleting, S::deleting}, {S::deleted, S::deleted, S::deleted}, "deleting"},
        CopiesCase{"Deleted", {S::deleted, S::deleted, S::deleted}, {S::deleted, S::deleted, S::deleted}, "deleted"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST_P(RemoteCopyState, FollowsFromTheCopies) {
    const OperationPlan plan = plan_backup("db", {kS3, kSftp}, false);
    std::vector<CopyRecord> copies;
    const auto add = [&](const std::string& destination, const std::vector<CopyState>& states) {
        for (std::size_t i = 0; i < states.size(); ++i) {
            copies.push_back(verified_copy(destination, plan.artifacts[i]));
            copies.back().state = states[i];
        }
    };
    add(kS3, GetParam().s3);
    add(kSftp, GetParam().sftp);
    EXPECT_EQ(remote_copy_state(plan, copies), GetParam().state);
}

TEST(RemoteCopies, AreNotConfiguredWithoutDestination) {
    EXPECT_EQ(remote_copy_state(plan_backup("db", {}, false), {}), "not_configured");
    OperationPlan snapshot;
    snapshot.operation = Operation::snapshot;
    EXPECT_EQ(remote_copy_state(snapshot, {}), "not_required");
}

// After the end nothing is on its way any more.
TEST(RemoteCopies, AreNeverUploadingAfterTheEnd) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3, kSftp}, false));
    std::erase_if(input.copies, [](const CopyRecord& copy) { return copy.destination_id == kSftp; });
    EXPECT_EQ(judge(input).remote_copy_state, "partial");
    EXPECT_EQ(judge(input).status, "amber");
    input.copies.clear();
    EXPECT_EQ(judge(input).remote_copy_state, "failed");
    EXPECT_EQ(judge(input).status, "red");
    input.phase = Phase::running;
    EXPECT_EQ(judge(input).remote_copy_state, "pending");
}

// Facts that change later move a green backup (rule 5).
TEST(RemoteCopies, ThatGoMissingMoveAGreenBackup) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3, kSftp}, false));
    set_copies(input, kSftp, CopyState::missing);
    RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "amber");
    EXPECT_EQ(verdict.reason, "remote_missing");
    EXPECT_THAT(verdict.why_not_green, Contains("remote_copy:" + kSftp + ":db: missing"));
    set_copies(input, kS3, CopyState::corrupt, "sha256 differs");
    verdict = judge(input);
    EXPECT_EQ(verdict.status, "red");
    EXPECT_EQ(verdict.reason, "remote_corrupt");
    EXPECT_THAT(verdict.why_not_green, Contains("remote_copy:" + kS3 + ":db: sha256 differs"));
}

TEST(RemoteCopies, OfADestinationThatFailedWithoutAStepAreNamedThemselves) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3, kSftp}, false));
    set_copies(input, kSftp, CopyState::failed, "no space left");
    const RecoveryEvidence verdict = judge(input);
    EXPECT_EQ(verdict.status, "amber");
    EXPECT_EQ(verdict.reason, "remote_copy_partial");
    EXPECT_THAT(verdict.why_not_green, Contains("remote_copy:" + kSftp + ":manifest: no space left"));
}

TEST(RemoteCopies, ThatWereNeverReadBackLackTheirChecksum) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    input.copies[1].state = CopyState::uploaded;
    input.copies[2].key.clear();
    const RecoveryEvidence verdict = judge(input);
    EXPECT_THAT(verdict.missing_evidence,
                ElementsAre("remote_checksum:" + kS3 + ":config", "remote_path:" + kS3 + ":manifest"));
    EXPECT_EQ(verdict.status, "amber");
}

TEST(RemoteCopies, ArtifactProofsGiveTheirReason) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    std::erase(input.steps.back().proofs, "artifact:config");
    EXPECT_EQ(judge(input).reason, "artifact_missing");
}

TEST(RemoteCopies, WithoutAKeyFolderKeepTheirName) {
    EvidenceInput input = all_proven(plan_backup("db", {kS3}, false));
    input.copies[0].key = "database.dump.zst";
    EXPECT_EQ(judge(input).artifact_paths.at("db"), "database.dump.zst");
}

}  // namespace
}  // namespace backstay
