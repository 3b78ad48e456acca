// Why a host is not green: each reason is made in the agent's state as jobs leave it.
#include "agent/local-api/why.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

#include "agent/local-api/advice.h"
#include "agent/local-api/views.h"
#include "agent/state/outbox.h"
#include "agent/state/schedules.h"
#include "agent/state/state.h"
#include "agent/worker/orders.h"
#include "common/domain/reasons.h"
#include "common/domain/schedule.h"
#include "tests/support/temp_dir.h"

namespace backstay::local_api {
namespace {

using ::testing::HasSubstr;

constexpr TimeMs kHour = 3'600'000;

class Why : public ::testing::Test {
protected:
    void SetUp() override {
        database_.emplace(std::move(*open_state(folder_.path())));
        config_.clusters.emplace_back();
        config_.odoo.emplace_back();
        config_.odoo[0].database = "shop";
        config_.destinations.push_back({"disk", "disk", "local", {}});
    }

    // A job that is over, whose one step did or did not complete; green with a verified copy.
    JobRow ended(const std::string& kind, const std::string& id, TimeMs at, bool completes,
                 const json::Object& order = {}) {
        JobRow row;
        row.job_id = "job-" + id;
        row.kind = kind;
        row.origin = kOriginSocket;
        row.operation_id = id;
        row.cluster = "main";
        row.database = kind == "base_backup" ? "" : "shop";
        row.created_at = {at - 10};
        row.order = order;
        EXPECT_TRUE(JobRepository(*database_).add(row));
        EXPECT_TRUE(JobRepository(*database_).start(row.job_id, at - 5));
        EvidenceRepository evidence(*database_);
        EXPECT_TRUE(evidence.begin(id, row.job_id));
        const bool stores = kind == "backup" || kind == "base_backup";
        OperationPlan plan;
        if (kind == "verify") plan.operation = Operation::verification;
        if (kind == "snapshot") plan.operation = Operation::snapshot;
        plan.steps = {{"db_dump", true, 1}, {"local_verify", true, 1}};
        if (stores) {
            plan.destination_ids = {"disk"};
            plan.artifacts = {"db"};
        }
        EXPECT_TRUE(evidence.plan(id, plan, at));
        StepRecord step;
        step.name = "db_dump";
        step.status = completes ? StepStatus::completed : StepStatus::failed;
        step.summary = completes ? "1.2 GB" : "pg_dump: no such table";
        step.reason = completes ? "" : "db_dump_failed";
        EXPECT_TRUE(evidence.step(id, step, at));
        if (completes) {
            step.name = "local_verify";
            step.completed_at = Timestamp{at};
            EXPECT_TRUE(evidence.step(id, step, at));
            if (stores) {
                EXPECT_TRUE(evidence.copy(id, {"disk", "db", CopyState::verified, "k", "aa", 1, "", ""}, at));
            }
        }
        control_plane::JobFinish finish;
        finish.outcome = completes ? control_plane::JobOutcome::succeeded : control_plane::JobOutcome::failed;
        if (!completes) finish.reason = "db_dump_failed", finish.error_message = "pg_dump failed";
        EXPECT_TRUE(JobRepository(*database_).finish(row.job_id, finish, at));
        return row;
    }
    void catalogue(const std::string& id, TimeMs at, const std::string& status = "completed") {
        BackupRow row;
        row.backup_id = id;
        row.created_at = {at - 10};
        row.completed_at = {at};
        row.cluster = "main";
        row.database = "shop";
        row.scope = "full";
        row.status = status;
        row.destination_ids = {"disk"};
        EXPECT_TRUE(BackupRepository(*database_).put(row));
    }
    void schedule(const std::string& full_cron) {
        control_plane::ScheduleBook book;
        book.version = "1";
        control_plane::ScheduledEnvironment& told = book.schedules.emplace_back();
        told.environment.environment_id = "e";
        told.environment.database = "shop";
        told.time_zone = "UTC";
        told.full_cron = full_cron;
        EXPECT_TRUE(ScheduleRepository(*database_).hear({}, book));
    }
    WhyAnswer why() {
        status_.last_backups.clear();
        const auto rows = BackupRepository(*database_).last_of_each();
        for (const BackupRow& row : *rows) status_.last_backups.push_back(view_backup(row));
        status_.next_runs = *view_next_runs(*database_, now_);
        status_.destination_states = *view_destinations(*database_, config_, status_.wal, spaces_, now_);
        status_.upcoming = *view_upcoming(*database_, config_, status_, timeline_, now_);
        const auto answer = explain({*database_, config_, status_, timeline_, now_});
        EXPECT_TRUE(answer);
        return answer ? *answer : WhyAnswer{};
    }
    // The only one.
    WhyReason reason() {
        const WhyAnswer answer = why();
        EXPECT_EQ(answer.reasons.size(), 1U) << json::encode_text(answer);
        return answer.reasons.empty() ? WhyReason{} : answer.reasons.front();
    }

    backstay::testing::TempDir folder_;
    std::optional<sqlite::Database> database_;
    AgentConfig config_;
    StatusAnswer status_;
    Spaces spaces_;
    ServerTimeline timeline_ = [](const std::string&) { return std::nullopt; };
    TimeMs now_ = 1'800'000'000'000;
};

TEST_F(Why, IsGreenWithTheProofWhenTheLastBackupIs) {
    ended("backup", "one", now_ - kHour, true);
    catalogue("one", now_ - kHour);
    const WhyAnswer answer = why();
    EXPECT_EQ(answer.status, "green") << json::encode_text(answer);
    ASSERT_EQ(answer.proven.size(), 1U);
    EXPECT_EQ(answer.proven[0].completed_at.ms, now_ - kHour);
    EXPECT_EQ(answer.proven[0].read_back_at->ms, now_ - kHour);
}

TEST_F(Why, TellsAFailedBackupInTheWordsOfItsEvidence) {
    ended("backup", "good", now_ - 2 * kHour, true);
    catalogue("good", now_ - 2 * kHour);
    ended("backup", "bad", now_ - kHour, false);
    const WhyReason found = reason();
    EXPECT_EQ(found.status, "red");
    EXPECT_EQ(found.subject, "database shop");
    EXPECT_EQ(found.since->ms, now_ - kHour);
    EXPECT_EQ(found.reason, "db_dump_failed");
    EXPECT_THAT(found.why_not_green, ::testing::Contains("db_dump: pg_dump: no such table"));
    EXPECT_THAT(found.message, HasSubstr("the last one that can be restored is of"));
    EXPECT_EQ(found.hint, advice("db_dump_failed"));
    EXPECT_THAT(found.next, HasSubstr("no schedule"));
    EXPECT_EQ(found.job_id, "job-bad");
    schedule("30 2 * * *");
    EXPECT_THAT(reason().next, HasSubstr("by its schedule"));
    EXPECT_GT(reason().next_at->ms, now_);
    JobView& waiting = status_.active.emplace_back();
    waiting.kind = "backup", waiting.state = "queued", waiting.database = "shop";
    EXPECT_THAT(reason().next, HasSubstr("waits for its turn"));
}

TEST_F(Why, CountsNoBackupThatSomebodyCancelled) {
    ended("backup", "good", now_ - 2 * kHour, true);
    catalogue("good", now_ - 2 * kHour);
    JobRow row;
    row.job_id = "stopped", row.kind = "backup", row.origin = kOriginSocket, row.database = "shop";
    row.cluster = "main", row.operation_id = "op", row.created_at = {now_};
    ASSERT_TRUE(JobRepository(*database_).add(row));
    control_plane::JobFinish finish;
    finish.outcome = control_plane::JobOutcome::cancelled;
    ASSERT_TRUE(JobRepository(*database_).finish("stopped", finish, now_));
    EXPECT_EQ(why().status, "green");
}

TEST_F(Why, AsksForTheFirstBackupOfADatabaseThatTheConfigurationNames) {
    const WhyReason found = reason();
    EXPECT_EQ(found.status, "amber");
    EXPECT_THAT(found.message, HasSubstr("none that can be restored"));
    EXPECT_EQ(found.hint, "backstay backup shop");
    config_.odoo.clear();
    EXPECT_THAT(reason().message, HasSubstr("no backup was made on this host yet"));
}

TEST_F(Why, IsGreenAgainWhenACopyMendedThePartialOne) {
    ended("backup", "half", now_ - kHour, true);
    EvidenceRepository evidence(*database_);
    ASSERT_TRUE(evidence.copy("half", {"disk", "db", CopyState::failed, "", "", 0, "refused", ""}, now_));
    catalogue("half", now_ - kHour, "partial");
    EXPECT_NE(why().status, "green");
    catalogue("half", now_ - kHour, "completed");
    const WhyAnswer answer = why();
    EXPECT_EQ(answer.proven.size(), 1U);
    for (const WhyReason& one : answer.reasons) EXPECT_THAT(one.subject, HasSubstr("destination disk"));
}

TEST_F(Why, JudgesWhatIsThereAndNotWhatWasDeletedSince) {
    ended("backup", "half", now_ - 2 * kHour, true);
    EvidenceRepository evidence(*database_);
    ASSERT_TRUE(evidence.copy("half", {"disk", "db", CopyState::failed, "", "", 0, "refused", ""}, now_));
    catalogue("half", now_ - 2 * kHour, "partial");
    ended("backup", "deleted", now_ - kHour, true);
    const WhyAnswer answer = why();
    EXPECT_NE(answer.status, "green");
    EXPECT_TRUE(answer.proven.empty());
}

TEST_F(Why, TakesWhatARestoreSavedFirstForTheLastBackup) {
    ended("backup", "bad", now_ - 2 * kHour, false);
    catalogue("safety", now_ - kHour);  // its evidence is forgotten already
    EXPECT_EQ(why().status, "green");
}

TEST_F(Why, FindsABackupThatIsTooOldForItsSchedule) {
    ended("backup", "one", now_ - 30 * kHour, true);
    catalogue("one", now_ - 30 * kHour);
    schedule("30 2 * * *");
    EXPECT_EQ(why().status, "green");
    now_ += 7 * kHour;  // beyond 1.5 times a day
    EXPECT_EQ(reason().status, "amber");
    EXPECT_THAT(reason().message, HasSubstr("Backup is overdue: the last one that can be restored is of"));
    now_ += 24 * kHour;
    EXPECT_EQ(reason().status, "red");
}

TEST_F(Why, SaysWhenABackupThatFailedAloneIsTriedAgain) {
    const TimeMs due = now_ - now_ % kHour;  // on the hour
    now_ = due + 12 * 60'000;
    control_plane::ScheduleBook book;
    control_plane::ScheduledEnvironment& told = book.schedules.emplace_back();
    told.environment.environment_id = "e";
    told.environment.database = "shop";
    told.time_zone = "UTC";
    told.db_cron = "0 * * * *";
    ScheduleContact contact;
    contact.heard_at = due - kHour;
    ASSERT_TRUE(ScheduleRepository(*database_).hear(contact, book));
    BackupOrder order;
    order.backup_id = schedule::run_id("e", "db", due);
    order.scope = "db";
    order.due_at = Timestamp{due};
    order.environment = told.environment;
    JobRow row;
    row.job_id = row.operation_id = order.backup_id;
    row.kind = "backup", row.origin = kOriginSchedule, row.cluster = "main", row.database = "shop";
    row.order = without_secrets(Order(order));
    row.created_at = {due + 10 * 60'000};
    ASSERT_TRUE(JobRepository(*database_).add(row));
    control_plane::JobFinish finish;
    finish.reason = "db_unreachable";
    finish.transient = true;
    ASSERT_TRUE(JobRepository(*database_).finish(row.job_id, finish, now_));
    EXPECT_EQ(reason().next, "attempt 2 of the backup that failed");
    EXPECT_EQ(reason().next_at->ms, now_ + 60'000);
    status_.control_plane.connected = true;  // then it decides
    EXPECT_THAT(reason().next, HasSubstr("by its schedule"));
}

TEST_F(Why, FindsDamageUntilTheBackupIsFoundSoundOrGone) {
    ended("backup", "one", now_ - 3 * kHour, true);
    catalogue("one", now_ - 3 * kHour);
    ended("verify", "look1", now_ - 2 * kHour, false, {{"backupId", "one"}});
    EXPECT_EQ(reason().status, "red");
    EXPECT_THAT(reason().message, HasSubstr("is not what was made"));
    ended("verify", "look2", now_ - kHour, true, {{"backupId", "one"}});
    EXPECT_EQ(why().status, "green");
    ended("verify", "look3", now_, false, {{"backupId", "gone"}});
    EXPECT_EQ(why().status, "green");
}

TEST_F(Why, TellsASnapshotAndABaseBackupThatFailed) {
    ended("backup", "one", now_ - kHour, true);
    catalogue("one", now_ - kHour);
    ended("snapshot", "snap", now_ - kHour, false);
    EXPECT_THAT(reason().message, HasSubstr("the last snapshot failed"));
    ended("snapshot", "snap2", now_ - 1, true);
    ended("base_backup", "base", now_ - kHour, false);
    EXPECT_EQ(why().status, "green") << "no WAL of that cluster is archived any more";
    config_.wal.emplace_back();
    EXPECT_EQ(reason().subject, "cluster main");
    ended("base_backup", "base2", now_, true);
    EXPECT_EQ(why().status, "green");
    EXPECT_EQ(why().proven.back().backup_id, "base2");
    EXPECT_EQ(why().proven.back().database, "");
}

TEST_F(Why, SaysWhatWalAndDestinationsAndDisksLack) {
    ended("backup", "one", now_ - kHour, true);
    catalogue("one", now_ - kHour);
    WalView& wal = status_.wal.emplace_back();
    wal.cluster = "main", wal.state = "lagging", wal.alerts = {"the archive is 900 s behind"};
    EXPECT_EQ(reason().status, "amber");
    EXPECT_EQ(reason().subject, "WAL of main");
    EXPECT_THAT(reason().next, HasSubstr("PostgreSQL keeps its WAL"));
    wal.state = "failing";
    EXPECT_EQ(reason().status, "red");
    wal.alerts = {"destination disk fails: connection refused"};
    wal.destinations.push_back({"disk", "disk", true, "connection refused", 0, 0});
    EXPECT_EQ(reason().subject, "destination disk");
    EXPECT_THAT(reason().message, HasSubstr("connection refused"));
    status_.wal.clear();
    config_.state_dir = folder_.path();
    config_.destinations[0].config = {{"path", folder_.path()}, {"minFreeBytes", 1'000'000'000'000'000}};
    ASSERT_TRUE(spaces_.claim(0));
    EXPECT_FALSE(spaces_.claim(60'000)) << "a disk that hangs is asked once";
    spaces_.measure(config_);
    EXPECT_FALSE(spaces_.claim(1)) << "it was just measured";
    EXPECT_EQ(reason().reason, "destination_full");
    config_.destinations[0].config["minFreeBytes"] = 0;
    ASSERT_TRUE(spaces_.claim(60'000));
    spaces_.measure(config_);
    status_.state_free_bytes = 1;
    EXPECT_EQ(reason().subject, "agent");
}

TEST_F(Why, IsRedWhileTheLossOfTheStateIsOpen) {
    ended("backup", "one", now_ - kHour, true);
    catalogue("one", now_ - kHour);
    status_.state_lost = StateLossView{{now_}, "the database is gone", {}};
    const WhyReason found = reason();
    EXPECT_EQ(found.status, "red");
    EXPECT_THAT(found.message, HasSubstr("the database is gone"));
    EXPECT_THAT(found.hint, HasSubstr("backstay adopt"));
}

TEST_F(Why, SaysWhatIsBetweenThisHostAndItsControlPlane) {
    ended("backup", "one", now_ - kHour, true);
    catalogue("one", now_ - kHour);
    status_.control_plane.url = "https://control.example";
    EXPECT_THAT(reason().message, HasSubstr("does not know this host"));
    status_.control_plane.enrolled = true;
    status_.control_plane.last_error = "timed out";
    status_.control_plane.unsent_reports = 7;
    EXPECT_THAT(reason().message, HasSubstr("timed out; 7 reports wait"));
    status_.control_plane.connected = true;
    EXPECT_EQ(why().status, "green");
}

TEST_F(Why, NarrowsToADatabaseOrAJob) {
    ended("backup", "bad", now_ - kHour, false);
    config_.odoo.emplace_back();
    config_.odoo[1].database = "other";
    const WhyAnswer all = why();
    EXPECT_EQ(all.reasons.size(), 2U);
    EXPECT_EQ(of_database(all, "other")->status, "amber");
    EXPECT_EQ(of_database(all, "none").error().code(), Errc::not_found);
    const auto row = JobRepository(*database_).find("job-bad");
    const WhyAnswer job = explain_job(*view_detail(*database_, **row, std::nullopt), status_);
    EXPECT_EQ(job.status, "red");
    EXPECT_THAT(job.reasons.at(0).why_not_green, ::testing::Contains("db_dump: pg_dump: no such table"));
    ended("backup", "good", now_, true);
    const auto good = JobRepository(*database_).find("job-good");
    EXPECT_EQ(explain_job(*view_detail(*database_, **good, std::nullopt), status_).status, "green");
}

TEST(Advice, IsThereForEveryReasonThatCallsForSomebody) {
    std::ifstream file("common/domain/reasons.h");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::regex word("= \"([a-z_]+)\";");
    std::size_t codes = 0;
    for (std::sregex_iterator found(text.begin(), text.end(), word), end; found != end; ++found, ++codes) {
        const std::string code = (*found)[1];
        if (code == reason::kOk || code == reason::kSuperseded) continue;
        EXPECT_NE(advice(code), "") << code;
    }
    EXPECT_GT(codes, 30U);
}

}  // namespace
}  // namespace backstay::local_api
