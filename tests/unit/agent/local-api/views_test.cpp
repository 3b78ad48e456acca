#include "agent/local-api/views.h"

#include <gtest/gtest.h>

#include "agent/state/state.h"
#include "tests/support/temp_dir.h"

namespace backstay::local_api {
namespace {

class LocalViews : public ::testing::Test {
protected:
    void SetUp() override { database_.emplace(std::move(*open_state(folder_.path()))); }
    JobRow add(const std::string& kind) {
        JobRow row;
        row.job_id = "job-" + kind;
        row.kind = kind;
        row.origin = kOriginSocket;
        row.operation_id = "op-" + kind;
        EXPECT_TRUE(JobRepository(*database_).add(row));
        return row;
    }
    JobRow reload(const JobRow& row) { return **JobRepository(*database_).find(row.job_id); }

    backstay::testing::TempDir folder_;
    std::optional<sqlite::Database> database_;
};

TEST_F(LocalViews, JudgeABackupByItsEvidenceNotByItsJob) {
    const JobRow row = add("backup");
    EvidenceRepository evidence(*database_);
    ASSERT_TRUE(JobRepository(*database_).start(row.job_id, 5));
    ASSERT_TRUE(evidence.begin(row.operation_id, row.job_id));
    OperationPlan plan;
    plan.steps = {{"preflight", true, 1}};
    ASSERT_TRUE(evidence.plan(row.operation_id, plan, 5));
    EXPECT_EQ(view_job(*database_, reload(row), std::nullopt)->status, "running");
    control_plane::JobFinish finish;
    finish.outcome = control_plane::JobOutcome::succeeded;
    ASSERT_TRUE(JobRepository(*database_).finish(row.job_id, finish, 9));
    // It says that it succeeded, but the required step left nothing.
    const auto view = view_job(*database_, reload(row), std::nullopt);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->state, "succeeded");
    EXPECT_NE(view->status, "completed");
    const auto detail = view_detail(*database_, reload(row), std::nullopt);
    ASSERT_TRUE(detail);
    ASSERT_EQ(detail->operations.size(), 1U);
    EXPECT_FALSE(detail->operations[0].recovery_evidence.can_write_clean_success);
}

TEST_F(LocalViews, JudgeADeletionByItsJob) {
    const JobRow row = add("delete");
    EXPECT_EQ(view_job(*database_, reload(row), std::nullopt)->status, "pending");
    control_plane::JobFinish finish;
    finish.outcome = control_plane::JobOutcome::failed;
    finish.reason = "remote_immutable";
    ASSERT_TRUE(JobRepository(*database_).finish(row.job_id, finish, 9));
    const auto view = view_job(*database_, reload(row), std::nullopt);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->status, "failed");
    EXPECT_EQ(view->reason, "remote_immutable");
}

}  // namespace
}  // namespace backstay::local_api
