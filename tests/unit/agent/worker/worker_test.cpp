#include "agent/worker/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/state/backups.h"
#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/outbox.h"
#include "agent/state/snapshots.h"
#include "agent/state/state.h"
#include "common/domain/reasons.h"
#include "common/ids.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/worker/fake_jobs.h"

namespace backstay {
namespace {

using control_plane::ReportKind;
using ::testing::HasSubstr;

class AgentWorker : public ::testing::Test {
protected:
    void SetUp() override {
        FakeJobs::instance().reset();
        config_.state_dir = folder_.path();
        settings_.emplace(config_, "agent-1", clock_);
        database_.emplace(std::move(*open_state(folder_.path())));
        restart();
    }
    void restart() {
        worker_.reset();
        worker_.emplace(*settings_, Worker::Events{[this](const std::string&) { poke(); },
                                                   [this](const std::string&, const Progress& progress) {
                                                       const std::lock_guard lock(mutex_);
                                                       percents_.push_back(progress.percent);
                                                   }});
    }
    void start() { ASSERT_TRUE(worker_->start(*database_)); }
    void poke() {
        const std::lock_guard lock(mutex_);
        changed_.notify_all();
    }
    static JobRequest request(Order order, const std::string& origin = std::string(kOriginSocket)) {
        JobRequest made{{}, std::move(order)};
        made.row.job_id = new_uuid();
        made.row.kind = kind_of(made.order);
        made.row.origin = origin;
        made.row.fence = origin == kOriginSocket ? 0 : 1;
        made.row.operation_id = operation_of(made.order);
        made.row.order = without_secrets(made.order);
        made.row.reported = true;
        if (const EnvironmentOrder* environment = environment_of(made.order)) made.row.database = environment->database;
        return made;
    }
    static BackupOrder backup(const std::string& database) {
        BackupOrder order;
        order.backup_id = new_uuid();
        order.scope = "db";
        order.environment.database = database;
        order.destinations = {{"disk", "disk", "local", {}}};
        return order;
    }
    std::string submit(JobRequest made) {
        const std::string id = made.row.job_id;
        const auto taken = worker_->submit(*database_, std::move(made));
        EXPECT_TRUE(taken) << taken.error().message();
        return id;
    }
    JobRow row(const std::string& id) { return **JobRepository(*database_).find(id); }
    JobRow wait_for_end(const std::string& id) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        std::unique_lock lock(mutex_);
        while (!is_over(row(id).state) && std::chrono::steady_clock::now() < deadline) {
            changed_.wait_for(lock, std::chrono::milliseconds(50));
        }
        return row(id);
    }
    std::vector<ReportKind> kinds(const std::string& id) {
        std::vector<ReportKind> all;
        const auto reports = Outbox(*database_).oldest(100);
        for (const auto& report : *reports) {
            if (report.job_id == id && report.kind != ReportKind::progress) all.push_back(report.kind);
        }
        return all;
    }

    backstay::testing::TempDir folder_;
    SystemClock clock_;
    AgentConfig config_;
    std::optional<Settings> settings_;
    std::optional<sqlite::Database> database_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<double> percents_;
    std::optional<Worker> worker_;
};

TEST_F(AgentWorker, RunsABackupAndKeepsAllItTestifies) {
    start();
    const BackupOrder order = backup("shop");
    const std::string id = submit(request(order));
    const JobRow job = wait_for_end(id);
    ASSERT_EQ(job.state, JobState::succeeded) << job.finish->error_message;
    EXPECT_EQ(job.finish->database_bytes, 70U);
    EXPECT_FALSE(job.finish->manifest->at("contents").as_object().contains("rowCounts"));
    EXPECT_THAT(kinds(id), ::testing::ElementsAre(ReportKind::declared, ReportKind::planned, ReportKind::step,
                                                  ReportKind::step, ReportKind::copy, ReportKind::finished));
    const auto kept = BackupRepository(*database_).look_up(order.backup_id);
    ASSERT_TRUE(kept) << kept.error().message();
    EXPECT_THAT(kept->destination_ids, ::testing::ElementsAre("disk"));
    EXPECT_FALSE(percents_.empty());
}

TEST_F(AgentWorker, RunsTheSafetyBackupAsAnOperationOfItsOwn) {
    start();
    RestoreOrder order;
    order.restore_id = new_uuid();
    order.target.database = "shop";
    order.safety_backup = backup("shop");
    const std::string id = submit(request(order));
    const JobRow job = wait_for_end(id);
    ASSERT_EQ(job.state, JobState::succeeded) << job.finish->error_message;
    EXPECT_EQ(job.finish->safety_backup_id, order.safety_backup->backup_id);
    const auto operations = *EvidenceRepository(*database_).of_job(id);
    ASSERT_EQ(operations.size(), 2U);
    EXPECT_EQ(operations[0].operation_id, order.restore_id);
    EXPECT_EQ(operations[1].operation_id, order.safety_backup->backup_id);
    EXPECT_TRUE(BackupRepository(*database_).look_up(order.safety_backup->backup_id));

    UndoOrder undo;
    undo.undo_id = new_uuid();
    undo.restore_id = order.restore_id;
    EXPECT_EQ(wait_for_end(submit(request(undo))).state, JobState::succeeded);
    undo.undo_id = new_uuid();
    undo.restore_id = new_uuid();
    EXPECT_EQ(wait_for_end(submit(request(undo))).state, JobState::failed);
}

TEST_F(AgentWorker, DropsThePreviousPairWhenItsTimeHasCome) {
    start();
    RestoreOrder order;
    order.restore_id = new_uuid();
    order.target.database = "shop";
    wait_for_end(submit(request(order)));
    EvidenceRepository evidence(*database_);
    EXPECT_EQ(FakeJobs::instance().drops, 0);
    EXPECT_EQ(evidence.noted_operations("restore.swap")->size(), 1U);
    worker_->stop(0);
    FakeJobs::instance().keep_until = 5;  // long ago
    restart();
    start();
    wait_for_end(submit(request(backup("other"))));
    EXPECT_EQ(FakeJobs::instance().drops, 1);
    EXPECT_TRUE(evidence.noted_operations("")->empty());
}

TEST_F(AgentWorker, TellsWhyAJobFailed) {
    FakeJobs::instance().fail_with(
        Error(Errc::unavailable, "no server").with_reason(reason::kDbUnreachable).with_fact("reverted", "true"));
    start();
    const JobRow job = wait_for_end(submit(request(backup("shop"))));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.finish->reason, reason::kDbUnreachable);
    EXPECT_TRUE(job.finish->transient);
    EXPECT_TRUE(job.finish->reverted);
    EXPECT_THAT(job.finish->error_message, HasSubstr("no server"));
}

TEST_F(AgentWorker, CancelsWhatWaitsAtOnceAndWhatRunsSoon) {
    FakeJobs::instance().hold("shop");
    start();
    const std::string running = submit(request(backup("shop")));
    ASSERT_TRUE(FakeJobs::instance().wait_until_held("shop"));
    const std::string waiting = submit(request(backup("shop")));  // the same database: it waits
    EXPECT_TRUE(worker_->cancel(waiting, StopCause::cancelled));
    EXPECT_EQ(wait_for_end(waiting).state, JobState::cancelled);
    EXPECT_EQ(row(running).state, JobState::running);
    EXPECT_TRUE(worker_->cancel(running, StopCause::cancelled));
    EXPECT_EQ(wait_for_end(running).finish->reason, reason::kCancelled);
    EXPECT_FALSE(worker_->cancel(running, StopCause::cancelled));
}

TEST_F(AgentWorker, RunsSoManyAtOnceAndNeverTwoOnOneDatabase) {
    start();
    std::vector<std::string> ids;
    for (const char* name : {"a", "b", "c"}) FakeJobs::instance().hold(name);
    for (const char* name : {"a", "a", "b", "c"}) ids.push_back(submit(request(backup(name))));
    ASSERT_TRUE(FakeJobs::instance().wait_until_held("a"));
    ASSERT_TRUE(FakeJobs::instance().wait_until_held("b"));
    EXPECT_EQ(worker_->free_slots(), 0);
    EXPECT_EQ(worker_->held().size(), 4U);
    DeleteOrder quick;
    quick.deletion_id = new_uuid();
    EXPECT_EQ(wait_for_end(submit(request(quick))).state, JobState::succeeded);
    for (const char* name : {"a", "b", "c"}) FakeJobs::instance().release(name);
    for (const std::string& id : ids) EXPECT_EQ(wait_for_end(id).state, JobState::succeeded);
    EXPECT_EQ(FakeJobs::instance().most_at_once, 2);
}

// The control plane may leave the cluster out, the socket names it: the database is the same.
TEST_F(AgentWorker, NeverRunsTwoOnOneDatabaseWhetherTheClusterIsNamedOrNot) {
    ClusterConfig cluster;
    cluster.name = "main";
    config_.clusters = {cluster};
    config_.limits.concurrent_jobs = 2;
    settings_->replace(config_);
    start();
    FakeJobs::instance().hold("a");
    FakeJobs::instance().hold("b");
    BackupOrder named = backup("a");
    named.environment.cluster = "main";
    const std::string first = submit(request(backup("a"), std::string(kOriginControlPlane)));
    const std::string second = submit(request(named));
    ASSERT_TRUE(FakeJobs::instance().wait_until_held("a"));
    // A third one, of another database, passes the second: that one is really waiting.
    const std::string third = submit(request(backup("b")));
    ASSERT_TRUE(FakeJobs::instance().wait_until_held("b"));
    EXPECT_EQ(row(second).state, JobState::queued);
    EXPECT_EQ(row(first).cluster, "main");
    for (const char* name : {"a", "b"}) FakeJobs::instance().release(name);
    for (const std::string& id : {first, second, third}) EXPECT_EQ(wait_for_end(id).state, JobState::succeeded);
}

TEST_F(AgentWorker, StopsJobsThatTakeTooLong) {
    FakeJobs::instance().hold("shop");
    start();
    BackupOrder order = backup("shop");
    order.timeout_ms = 50;
    const JobRow job = wait_for_end(submit(request(order)));
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_EQ(job.finish->reason, reason::kTimeout);
}

TEST_F(AgentWorker, InterruptsWhatRunsAndWhatWaitsWhenItIsStopped) {
    FakeJobs::instance().hold("shop");
    start();
    const std::string running = submit(request(backup("shop")));
    ASSERT_TRUE(FakeJobs::instance().wait_until_held("shop"));
    const std::string waiting = submit(request(backup("shop")));
    worker_->stop(10);
    EXPECT_EQ(row(running).state, JobState::interrupted);
    EXPECT_EQ(row(waiting).state, JobState::interrupted);
    EXPECT_TRUE(row(waiting).finish->transient);
    EXPECT_EQ(worker_->submit(*database_, request(backup("shop"))).error().code(), Errc::unavailable);
}

TEST_F(AgentWorker, SettlesWhatTheLastProcessLeft) {
    // A process that died: rows and notes as it left them.
    JobRequest left = request(backup("shop"), std::string(kOriginControlPlane));
    JobRepository jobs(*database_);
    ASSERT_TRUE(jobs.add(left.row));
    ASSERT_TRUE(jobs.start(left.row.job_id, 5));
    EvidenceRepository evidence(*database_);
    ASSERT_TRUE(evidence.begin(left.row.operation_id, left.row.job_id));
    StepRecord step;
    step.name = "db_dump";
    step.status = StepStatus::running;
    ASSERT_TRUE(evidence.step(left.row.operation_id, step, 6));
    ASSERT_TRUE(evidence.note(left.row.operation_id, "backup.folder", "x"));
    FakeJobs::instance().sweep_fails = true;
    start();
    const JobRow job = wait_for_end(left.row.job_id);
    EXPECT_EQ(job.state, JobState::interrupted);
    EXPECT_EQ(job.finish->reason, reason::kAgentRestarted);
    EXPECT_TRUE(job.finish->transient);
    EXPECT_EQ((*evidence.of(left.row.operation_id))->steps[0].status, StepStatus::failed);
    worker_->stop(0);
    EXPECT_EQ(evidence.noted_operations("agent.sweep_due")->size(), 1U);

    // What could not be swept then is swept by the next one.
    FakeJobs::instance().sweep_fails = false;
    restart();
    start();
    FakeJobs::instance().reset();
    wait_for_end(submit(request(backup("other"))));
    EXPECT_TRUE(evidence.noted_operations("agent.sweep_due")->empty());
}

TEST_F(AgentWorker, SweepsWhatAFailedJobLeftAndTriesAgain) {
    FakeJobs::instance().fail_with(Error(Errc::unavailable, "no server"));
    FakeJobs::instance().sweep_fails = true;
    start();
    const BackupOrder order = backup("shop");
    EXPECT_EQ(wait_for_end(submit(request(order))).state, JobState::failed);
    EvidenceRepository evidence(*database_);
    EXPECT_EQ(evidence.noted_operations("agent.sweep_due")->size(), 1U);
    EXPECT_TRUE((*evidence.of(order.backup_id))->notes.contains("backup.folder"));

    // The next job's destinations are known while it is swept.
    FakeJobs::instance().fail_with(std::nullopt);
    FakeJobs::instance().sweep_fails = false;
    wait_for_end(submit(request(backup("other"))));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!evidence.noted_operations("")->empty() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(evidence.noted_operations("")->empty());
    EXPECT_EQ(FakeJobs::instance().destinations_known, 1U);
}

class AgentWorkerAfterASwap : public AgentWorker {
protected:
    // A restore that died between its swap and its commit.
    JobRow settled(bool live_is_good) {
        FakeJobs::instance().live_is_good = live_is_good;
        RestoreOrder order;
        order.restore_id = new_uuid();
        order.target.database = "shop";
        const JobRequest left = request(order, std::string(kOriginControlPlane));
        JobRepository jobs(*database_);
        EXPECT_TRUE(jobs.add(left.row));
        EXPECT_TRUE(jobs.start(left.row.job_id, 5));
        EvidenceRepository evidence(*database_);
        EXPECT_TRUE(evidence.begin(order.restore_id, left.row.job_id));
        EXPECT_TRUE(evidence.plan(order.restore_id, plan_restore({}), 5));
        StepRecord safety;
        safety.name = step::kSafetyBackup;
        safety.status = StepStatus::completed;
        safety.facts = {{"backup_id", "the-safety-backup"}};
        EXPECT_TRUE(evidence.step(order.restore_id, safety, 5));
        EXPECT_TRUE(evidence.note(order.restore_id, "restore.swap", "swapped"));
        start();
        const JobRow row = wait_for_end(left.row.job_id);
        worker_->stop(0);
        operation_ = **evidence.of(order.restore_id);
        return row;
    }
    OperationEvidence operation_;
};

TEST_F(AgentWorkerAfterASwap, ARestoreWhosePairIsProvenHasSucceeded) {
    const JobRow job = settled(true);
    EXPECT_EQ(job.state, JobState::succeeded);
    EXPECT_EQ(job.finish->safety_backup_id, "the-safety-backup");
    ASSERT_EQ(operation_.steps.size(), 2U);
    EXPECT_EQ(operation_.steps[1].name, step::kCatalogCommit);
    EXPECT_TRUE(operation_.steps[1].required);
    EXPECT_TRUE(operation_.notes.contains("restore.swap")) << "the previous pair is kept";
}

TEST_F(AgentWorkerAfterASwap, ARestoreThatHadToBePutBackHasFailedAndIsReverted) {
    const JobRow job = settled(false);
    EXPECT_EQ(job.state, JobState::failed);
    EXPECT_TRUE(job.finish->reverted);
    EXPECT_FALSE(job.finish->transient);
    EXPECT_EQ(job.finish->reason, reason::kHealthCheckFailed);
}

class AgentWorkerInARollback : public AgentWorker {
protected:
    // Its agent died: how its safety snapshot ended, as the control plane is told.
    std::vector<control_plane::JobFinish> told(bool is_whole) {
        RollbackOrder order;
        order.rollback_id = new_uuid();
        order.target.database = "shop";
        order.safety_snapshot.emplace();
        const std::string safety = order.safety_snapshot->snapshot_id = new_uuid();
        const JobRequest left = request(order, std::string(kOriginControlPlane));
        JobRepository jobs(*database_);
        EXPECT_TRUE(jobs.add(left.row));
        EXPECT_TRUE(jobs.start(left.row.job_id, 5));
        EvidenceRepository evidence(*database_);
        EXPECT_TRUE(evidence.begin(order.rollback_id, left.row.job_id));
        EXPECT_TRUE(evidence.begin(safety, left.row.job_id));
        EXPECT_TRUE(evidence.plan(safety, plan_snapshot({}), 5));
        StepRecord last;
        last.name = step::kCatalogCommit;
        last.status = StepStatus::running;
        EXPECT_TRUE(evidence.step(safety, last, 5));
        SnapshotRow row;
        row.snapshot_id = safety;
        row.folder = "v1/a/b/c/snapshots/" + safety;
        SnapshotRepository snapshots(*database_);
        EXPECT_TRUE(snapshots.begin(row));
        row.mode = "full";
        row.completed_at = Timestamp{6};
        if (is_whole) {
            EXPECT_TRUE(snapshots.complete(row, ""));
        }
        start();
        EXPECT_EQ(wait_for_end(left.row.job_id).state, JobState::interrupted);
        worker_->stop(0);
        std::vector<control_plane::JobFinish> ends;
        const auto reports = Outbox(*database_).oldest(100);
        EXPECT_TRUE(reports);
        for (const auto& report : *reports) {
            if (report.operation_id == safety && report.finished) ends.push_back(*report.finished);
        }
        EXPECT_EQ(snapshots.find(safety)->has_value(), is_whole);
        return ends;
    }
};

TEST_F(AgentWorkerInARollback, ASafetySnapshotThatWasWholeHasSucceeded) {
    const auto ends = told(true);
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0].outcome, control_plane::JobOutcome::succeeded);
    EXPECT_THAT(ends[0].folder.value_or(""), HasSubstr("/snapshots/"));
}

TEST_F(AgentWorkerInARollback, ASafetySnapshotThatWasNotWholeHasNot) {
    const auto ends = told(false);
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends[0].outcome, control_plane::JobOutcome::interrupted);
    EXPECT_EQ(ends[0].reason, reason::kAgentRestarted);
}

}  // namespace
}  // namespace backstay
