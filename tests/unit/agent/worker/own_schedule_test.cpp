#include "agent/worker/own_schedule.h"

#include <gtest/gtest.h>

#include "agent/state/outbox.h"
#include "agent/state/state.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/worker/fake_jobs.h"

namespace backstay {
namespace {

using control_plane::ReportKind;
using control_plane::ScheduledEnvironment;

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;
const std::string kEnvironment = "11111111-1111-4111-8111-111111111111";

TimeMs at(std::string_view text) { return parse_rfc3339(text).value(); }

ScheduledEnvironment shop() {
    ScheduledEnvironment told;
    told.environment.environment_id = kEnvironment;
    told.environment.database = "shop";
    told.time_zone = "UTC";
    told.db_cron = "0 * * * *";
    told.destinations = {{"disk", "disk", "local", {{"path", "/backups"}}},
                         {"s3", "bucket", "s3", {{"secretAccessKey", "very-secret-word"}}}};
    return told;
}

class DueAlone : public ::testing::Test {
protected:
    DueAlone() {
        situation_.now = due_ + 10 * kMinute;
        situation_.heard_at = situation_.decided_until = due_ - 5 * kMinute;
    }
    std::optional<AloneRun> due() { return due_alone(told_, situation_).value(); }
    const TimeMs due_ = at("2026-03-01T02:00:00Z");
    ScheduledEnvironment told_ = shop();
    AloneSituation situation_;
};

TEST_F(DueAlone, AMomentIsTheControlPlanesForTenMinutes) {
    ASSERT_TRUE(due());
    EXPECT_EQ(due()->due, due_);
    EXPECT_EQ(due()->scope, "db");
    situation_.now -= 1;
    EXPECT_FALSE(due());
}

TEST_F(DueAlone, NothingIsBegunWhileTheControlPlaneSpeaks) {
    situation_.heard_at = due_ + 1;
    EXPECT_FALSE(due()) << "it knows of the moment and has not decided yet";
    situation_.now += 1;
    EXPECT_TRUE(due());
    situation_.decided_until = due_;
    EXPECT_FALSE(due()) << "it decided";
}

TEST_F(DueAlone, WhatIsOlderThanHalfItsIntervalIsLeftAndTheNewestCounts) {
    situation_.now = due_ + 30 * kMinute;
    EXPECT_FALSE(due());
    situation_.now = due_ + 5 * kHour + 15 * kMinute;
    EXPECT_EQ(due()->due, due_ + 5 * kHour);
}

TEST_F(DueAlone, NothingIsBegunTwiceOrBesideOtherWork) {
    situation_.begun["db"] = due_;
    EXPECT_FALSE(due());
    situation_.begun.clear();
    situation_.busy = true;
    EXPECT_FALSE(due());
}

TEST_F(DueAlone, AFullBackupGoesFirstAndHoldsTheDatabaseToo) {
    told_.full_cron = "0 2 * * *";
    EXPECT_EQ(due()->scope, "full");
    situation_.begun["full"] = due_;
    EXPECT_FALSE(due());
    situation_.now += kHour;
    EXPECT_EQ(due()->scope, "db");
}

TEST_F(DueAlone, AZoneThatIsNotKnownIsAnError) {
    told_.time_zone = "Europe/Atlantis";
    EXPECT_FALSE(due_alone(told_, situation_));
}

TEST(RepeatsAlone, AsOftenAndAfterSuchTimesAsTheControlPlaneWould) {
    const TimeMs due = at("2026-03-01T02:00:00Z");
    const schedule::Slot slot{due, due + kHour, due + 30 * kMinute};
    JobRow failed;
    failed.origin = kOriginSchedule;
    failed.state = JobState::failed;
    failed.ended_at = Timestamp{due + 12 * kMinute};
    failed.finish.emplace();
    failed.finish->transient = true;
    AloneSituation situation;
    situation.heard_at = due - kMinute;
    situation.now = due + 13 * kMinute;
    EXPECT_TRUE(repeats_alone(failed, slot, situation));
    EXPECT_EQ(repeat_due(failed, slot, situation), situation.now);
    situation.now -= 1;
    EXPECT_FALSE(repeats_alone(failed, slot, situation)) << "a minute first";
    situation.now = due + 16 * kMinute;
    failed.attempt = 2;
    EXPECT_FALSE(repeats_alone(failed, slot, situation)) << "five minutes then";
    situation.now = due + 17 * kMinute;
    EXPECT_TRUE(repeats_alone(failed, slot, situation));
    situation.heard_at = due + 8 * kMinute;
    EXPECT_FALSE(repeats_alone(failed, slot, situation)) << "the control plane spoke: it decides";
    situation.heard_at = due - kMinute;
    situation.busy = true;
    EXPECT_FALSE(repeats_alone(failed, slot, situation));
    situation.busy = false;
    failed.finish->transient = false;
    EXPECT_FALSE(repeats_alone(failed, slot, situation)) << "it would fail again";
    failed.state = JobState::interrupted;
    EXPECT_TRUE(repeats_alone(failed, slot, situation));
    situation.now = slot.stale_at;
    EXPECT_FALSE(repeats_alone(failed, slot, situation));
    situation.now -= 1;
    failed.attempt = 4;
    EXPECT_FALSE(repeats_alone(failed, slot, situation));
}

class OwnScheduleTest : public ::testing::Test {
protected:
    void SetUp() override {
        FakeJobs::instance().reset();
        config_.state_dir = folder_.path();
        clock_.set(due_ - 5 * kMinute);
        settings_.emplace(config_, "agent-1", clock_);
        database_.emplace(std::move(*open_state(folder_.path())));
        begin();
    }
    // A new process.
    void begin() {
        own_.reset();
        worker_.reset();
        worker_.emplace(*settings_, Worker::Events{[](const std::string&) {}, {}});
        own_.emplace(*settings_, *worker_);
    }
    void hear(TimeMs decided_until, bool with_book = true) {
        control_plane::HeartbeatAnswer answer;
        answer.server_time = {clock_.now_ms()};
        answer.decided_until = Timestamp{decided_until};
        if (with_book) answer.schedules = control_plane::ScheduleBook{"v1", {shop()}, {}};
        own_->hear(*database_, answer);
    }
    void look() {
        const auto looked = own_->look(*database_);
        EXPECT_TRUE(looked) << looked.error().message();
    }
    std::vector<JobRow> jobs() { return JobRepository(*database_).newest(100).value(); }
    control_plane::Heartbeat told() {
        control_plane::Heartbeat heartbeat;
        own_->tell(*database_, heartbeat);
        return heartbeat;
    }
    const TimeMs due_ = at("2026-03-01T02:00:00Z");
    testing::TempDir folder_;
    AgentConfig config_;
    FakeClock clock_;
    std::optional<Settings> settings_;
    std::optional<sqlite::Database> database_;
    std::optional<Worker> worker_;
    std::optional<OwnSchedule> own_;
};

TEST_F(OwnScheduleTest, RunsAMomentOnceAndDeclaresItUnderTheSharedId) {
    EXPECT_EQ(told().schedule_version, "");
    hear(clock_.now_ms());
    EXPECT_EQ(told().schedule_version, "v1");
    clock_.set(due_ + 9 * kMinute);
    look();
    EXPECT_TRUE(jobs().empty());
    clock_.set(due_ + 10 * kMinute);
    look();
    look();
    ASSERT_EQ(jobs().size(), 1U);
    const JobRow job = jobs()[0];
    EXPECT_EQ(job.job_id, schedule::run_id(kEnvironment, "db", due_));
    EXPECT_EQ(job.operation_id, job.job_id);
    EXPECT_EQ(job.origin, kOriginSchedule);
    EXPECT_EQ(job.fence, 0);
    const auto reports = Outbox(*database_).oldest(10).value();
    ASSERT_EQ(reports.at(0).kind, ReportKind::declared);
    EXPECT_EQ(reports[0].declared->origin, "schedule");
    EXPECT_EQ(reports[0].declared->order.at("dueAt").as_string(), to_rfc3339(due_));
    ASSERT_EQ(told().scheduled_runs.size(), 1U);
    EXPECT_EQ(told().scheduled_runs[0].due_at.ms, due_);
}

TEST_F(OwnScheduleTest, SurvivesARestartWithoutTheSecrets) {
    hear(clock_.now_ms());
    begin();
    EXPECT_EQ(told().schedule_version, "") << "it asks for the secrets again";
    clock_.set(due_ + 10 * kMinute);
    look();
    ASSERT_EQ(jobs().size(), 1U);
    EXPECT_EQ(jobs()[0].order.at("destinations").as_array().size(), 1U) << "the bucket's are not kept";
    begin();
    look();
    EXPECT_EQ(jobs().size(), 1U);
    auto rows = database_->query("SELECT schedule_json FROM schedules").value();
    ASSERT_TRUE(rows.step().value());
    EXPECT_EQ(rows.text(0).find("very-secret-word"), std::string::npos);
}

TEST_F(OwnScheduleTest, TheControlPlanesOrderOfTheSameMomentIsKnownAndTheOtherWayRound) {
    hear(clock_.now_ms());
    clock_.set(due_ + 10 * kMinute);
    look();
    JobRow offered = jobs().at(0);
    offered.origin = kOriginControlPlane;
    offered.fence = 7;
    const auto added = JobRepository(*database_).add(offered);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), Errc::conflict);
    EXPECT_EQ(jobs().at(0).fence, 0);

    BackupOrder order;
    order.backup_id = schedule::run_id(kEnvironment, "db", due_ + kHour);
    order.scope = "db";
    order.environment = shop().environment;
    order.due_at = Timestamp{due_ + kHour};
    offered.job_id = offered.operation_id = order.backup_id;
    offered.order = json::encode(order).as_object();
    ASSERT_TRUE(JobRepository(*database_).add(offered));
    EXPECT_EQ(told().scheduled_runs.at(0).due_at.ms, due_ + kHour);
    ASSERT_TRUE(JobRepository(*database_).start(offered.job_id, clock_.now_ms()));
    ASSERT_TRUE(JobRepository(*database_).finish(offered.job_id, {}, clock_.now_ms()));
    ASSERT_TRUE(JobRepository(*database_).finish(schedule::run_id(kEnvironment, "db", due_), {}, clock_.now_ms()));
    clock_.set(due_ + kHour + 10 * kMinute);
    look();
    EXPECT_EQ(jobs().size(), 2U);
}

TEST_F(OwnScheduleTest, ReckonsByTheControlPlanesClock) {
    clock_.set(due_ + 2 * kHour - 5 * kMinute);  // ours is two hours ahead
    control_plane::HeartbeatAnswer answer;
    answer.server_time = {due_ - 5 * kMinute};
    answer.decided_until = answer.server_time;
    answer.schedules = control_plane::ScheduleBook{"v1", {shop()}, {}};
    own_->hear(*database_, answer);
    clock_.set(due_ + 2 * kHour + 9 * kMinute);
    look();
    EXPECT_TRUE(jobs().empty());
    clock_.set(due_ + 2 * kHour + 10 * kMinute);
    look();
    ASSERT_EQ(jobs().size(), 1U);
    EXPECT_EQ(jobs()[0].job_id, schedule::run_id(kEnvironment, "db", due_));
}

TEST_F(OwnScheduleTest, SchedulesOfAnotherIdentityAreNotRun) {
    hear(clock_.now_ms());
    settings_->set_agent_id("agent-2");
    clock_.set(due_ + 10 * kMinute);
    look();
    EXPECT_TRUE(jobs().empty());
}

TEST_F(OwnScheduleTest, WhatIsPausedMeanwhileIsForgotten) {
    hear(clock_.now_ms());
    control_plane::HeartbeatAnswer answer;
    answer.server_time = {clock_.now_ms()};
    answer.schedules = control_plane::ScheduleBook{"v2", {}, {}};
    own_->hear(*database_, answer);
    clock_.set(due_ + 10 * kMinute);
    look();
    EXPECT_TRUE(jobs().empty());
}

TEST_F(OwnScheduleTest, ARunThatFailedForACauseThatMayPassIsMadeAgainUnderTheSameId) {
    hear(clock_.now_ms());
    clock_.set(due_ + 10 * kMinute);
    look();
    ASSERT_EQ(jobs().size(), 1U);
    const std::string id = jobs()[0].job_id;
    const auto fail = [&](bool transient) {
        control_plane::JobFinish finish;
        finish.transient = transient;
        EXPECT_TRUE(JobRepository(*database_).finish(id, finish, clock_.now_ms()));
    };
    fail(true);
    clock_.set(due_ + 10 * kMinute + 30'000);
    look();
    EXPECT_EQ(jobs()[0].state, JobState::failed) << "not at once";
    clock_.set(due_ + 11 * kMinute);
    look();
    ASSERT_EQ(jobs().size(), 1U);
    EXPECT_EQ(jobs()[0].state, JobState::queued);
    EXPECT_EQ(jobs()[0].attempt, 2);
    const auto reports = Outbox(*database_).oldest(10).value();
    ASSERT_EQ(reports.size(), 1U) << "what nobody heard of the first attempt is not told";
    EXPECT_EQ(reports[0].seq, 1);
    EXPECT_EQ(reports[0].kind, ReportKind::declared);
    fail(false);
    clock_.set(due_ + 25 * kMinute);
    look();
    EXPECT_EQ(jobs()[0].state, JobState::failed) << "it would fail again";
}

TEST_F(OwnScheduleTest, OnceTheControlPlaneHeardOfARunItAloneOrdersItAgain) {
    hear(clock_.now_ms());
    clock_.set(due_ + 10 * kMinute);
    look();
    JobRow order = jobs()[0];
    control_plane::JobFinish finish;
    finish.transient = true;
    ASSERT_TRUE(JobRepository(*database_).finish(order.job_id, finish, clock_.now_ms()));
    order.origin = kOriginControlPlane;
    order.fence = 1;
    EXPECT_FALSE(JobRepository(*database_).add(order)) << "it does not know yet how this one ended";
    ASSERT_TRUE(Outbox(*database_).acknowledge(order.job_id, 0, 1));
    clock_.set(due_ + 12 * kMinute);
    look();
    EXPECT_EQ(jobs()[0].state, JobState::failed) << "a part of it is told";
    ASSERT_TRUE(Outbox(*database_).acknowledge(order.job_id, 0, 99));
    look();
    EXPECT_EQ(jobs()[0].state, JobState::failed);
    EXPECT_TRUE(JobRepository(*database_).add(order));
    EXPECT_EQ(jobs()[0].fence, 1);
}

TEST_F(OwnScheduleTest, WishesAboutWalAreKeptUntilTheBookIsAnother) {
    control_plane::HeartbeatAnswer answer;
    answer.schedules = control_plane::ScheduleBook{"v1", {}, {{"main", 30, 1}}};
    own_->hear(*database_, answer);
    begin();
    const auto wish = ScheduleRepository(*database_).wal_wish("main").value();
    ASSERT_TRUE(wish);
    EXPECT_FALSE(ScheduleRepository(*database_).wal_wish("other").value());
    WalConfig host;
    EXPECT_EQ(with_wish(host, wish).retention_days, 30);
    EXPECT_EQ(with_wish(host, wish).base_every_days, 1);
    host.retention_days = 60;
    EXPECT_EQ(with_wish(host, wish).retention_days, 60) << "the host's own window is never shortened";
    answer.schedules = control_plane::ScheduleBook{"v2", {}, {}};
    own_->hear(*database_, answer);
    EXPECT_FALSE(ScheduleRepository(*database_).wal_wish("main").value());
}

}  // namespace
}  // namespace backstay
