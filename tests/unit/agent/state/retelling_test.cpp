#include "agent/state/retelling.h"

#include <gtest/gtest.h>

#include "agent/state/backups.h"
#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/outbox.h"
#include "agent/state/state.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

using control_plane::JobFinish;
using control_plane::JobOutcome;
using control_plane::Report;
using control_plane::ReportKind;

class TellingAgain : public ::testing::Test {
protected:
    // A backup that the control plane ordered, and that it has heard of.
    void make(const std::string& id, TimeMs at, JobOutcome outcome = JobOutcome::succeeded) {
        JobRow row;
        row.job_id = "job-" + id;
        row.operation_id = id;
        row.fence = 3;
        row.kind = "backup";
        row.origin = kOriginControlPlane;
        row.created_at = {at};
        row.reported = true;
        JobRepository jobs(database_);
        ASSERT_TRUE(jobs.add(row));
        ASSERT_TRUE(jobs.start(row.job_id, at));
        EvidenceRepository evidence(database_);
        ASSERT_TRUE(evidence.begin(id, row.job_id));
        ASSERT_TRUE(evidence.plan(id, OperationPlan{}, at));
        StepRecord step;
        step.name = "preflight";
        step.status = StepStatus::completed;
        ASSERT_TRUE(evidence.step(id, step, at));
        ASSERT_TRUE(evidence.copy(id, CopyRecord{}, at));
        JobFinish finish;
        finish.outcome = outcome;
        ASSERT_TRUE(jobs.finish(row.job_id, finish, at + 10));
        BackupRow backup;
        backup.backup_id = id;
        backup.created_at = backup.completed_at = {at};
        ASSERT_TRUE(BackupRepository(database_).put(backup));
    }
    std::vector<Report> waiting() { return *Outbox(database_).oldest(100); }
    void acknowledge_all() {
        for (const Report& report : waiting()) {
            ASSERT_TRUE(Outbox(database_).acknowledge(report.job_id, report.fence, report.seq));
        }
    }

    testing::TempDir folder_;
    sqlite::Database database_ = std::move(*open_state(folder_.path()));
};

TEST_F(TellingAgain, BeginsWithADeclarationAndEndsWithTheEnd) {
    make("old", 1'000);
    make("new", 2'000);
    acknowledge_all();
    const auto told = tell_again(database_, 1'500);
    ASSERT_TRUE(told) << told.error().message();
    EXPECT_EQ(told->jobs, 1);
    std::vector<ReportKind> kinds;
    for (const Report& report : waiting()) {
        EXPECT_EQ(report.job_id, "job-new");
        EXPECT_EQ(report.fence, 0);
        EXPECT_EQ(report.seq, static_cast<std::int64_t>(kinds.size()) + 1);
        kinds.push_back(report.kind);
    }
    EXPECT_EQ(kinds, (std::vector{ReportKind::declared, ReportKind::planned, ReportKind::step, ReportKind::copy,
                                  ReportKind::finished}));
    EXPECT_EQ(told->reports, 5);
    EXPECT_EQ(tell_again(database_, 0)->jobs, 1) << "what waits is not told twice";
}

TEST_F(TellingAgain, LeavesOutWhatFailedOrIsGone) {
    make("failed", 1'000, JobOutcome::failed);
    make("deleted", 1'000);
    make("unsent", 1'000);
    ASSERT_TRUE(BackupRepository(database_).remove("deleted"));
    for (const Report& report : waiting()) {
        if (report.job_id != "job-unsent") {
            ASSERT_TRUE(Outbox(database_).acknowledge(report.job_id, report.fence, report.seq));
        }
    }
    const auto told = tell_again(database_, 0);
    EXPECT_EQ(told->jobs, 0);
    EXPECT_EQ(told->waiting, 1);
}

}  // namespace
}  // namespace backstay
