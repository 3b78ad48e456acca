#include "control-plane/schedule/runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/schedule.h"
#include "control-plane/alerts/repository.h"
#include "control-plane/schedule/book.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::schedule {
namespace {

using control_plane::Heartbeat;
using control_plane::HeartbeatAnswer;
using dispatch::JobState;
using dispatch::Report;
using dispatch::ReportKind;
using dispatch::World;
using ::testing::HasSubstr;

constexpr TimeMs kMinute = 60'000;
constexpr TimeMs kHour = 60 * kMinute;

class Runs : public ::testing::Test {
protected:
    Runs() {
        due_ = world_.now + kHour;  // 2027-01-15T09:00
        world_.now = due_ - kMinute;
        auto transaction = sql::Transaction::begin(world_.db()).value();
        store::DestinationRow disk;
        disk.id = new_uuid();
        disk.organization_id = world_.organization_id;
        disk.name = "disk";
        disk.type = "local";
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, disk));
        EXPECT_TRUE(transaction.commit());
        disk_ = disk.id;
        schedule_.id = new_uuid();
        schedule_.environment_id = world_.environment.id;
        schedule_.organization_id = world_.organization_id;
        schedule_.db = {"custom", "0 * * * *", due_};
        put();
        EXPECT_TRUE(world_.beat({}));
        world_.now = due_;
    }
    void put() { EXPECT_TRUE(store::Schedules(world_.db()).put(schedule_)); }
    void run() {
        const auto done = run_due(world_.db(), world_.now, world_.stir);
        EXPECT_TRUE(done) << done.error().message();
    }
    std::string id_of(TimeMs due, const std::string& scope = "db") { return run_id(world_.environment.id, scope, due); }
    std::vector<store::ScheduleRun> runs() {
        return store::Schedules(world_.db()).runs(world_.environment.id, 100).value();
    }
    std::size_t backups() {
        operations::BackupFilter filter;
        filter.organization_id = world_.organization_id;
        return operations::list_backups(world_.db(), filter).value().rows.size();
    }
    std::optional<TimeMs> next() { return store::Schedules(world_.db()).find(world_.environment.id).value()->db.next; }
    HeartbeatAnswer beat(const std::vector<control_plane::ScheduledRun>& scheduled = {},
                         const std::vector<control_plane::HeldJob>& held = {}, const std::string& version = "") {
        Heartbeat heartbeat;
        heartbeat.instance_id = "one";
        heartbeat.sent_at = {world_.now};
        heartbeat.jobs = held;
        heartbeat.schedule_version = version;
        heartbeat.scheduled_runs = scheduled;
        auto answer = dispatch::take_heartbeat(world_.db(), world_.agent, heartbeat, world_.now, world_.stir);
        EXPECT_TRUE(answer);
        const auto told = answer_schedules(
            world_.db(), world_.agent, heartbeat,
            [](sql::Database&, std::string_view, std::string_view id) -> Result<std::optional<DestinationOrder>> {
                return std::optional<DestinationOrder>({std::string(id), "disk", "local", {{"path", "/backups"}}});
            },
            world_.now, *answer);
        EXPECT_TRUE(told) << told.error().message();
        return std::move(*answer);
    }
    // The agent began the run of `due` by itself: its declaration, as its outbox brings it.
    Report declared(TimeMs due, const std::string& scope = "db") {
        BackupOrder order;
        order.backup_id = id_of(due, scope);
        order.scope = scope;
        order.trigger = "scheduled";
        order.created_at = {world_.now};
        order.due_at = Timestamp{due};
        order.environment = store::to_order(world_.environment);
        order.destinations = {{disk_, "disk", "local", {}}};
        Report report = world_.report(order.backup_id, 0, 1, ReportKind::declared);
        report.operation_id = order.backup_id;
        report.declared = control_plane::JobDeclaration{"backup", json::encode(order).as_object(), "schedule"};
        return report;
    }
    control_plane::ScheduledRun told(TimeMs due, const std::string& scope = "db") {
        return {world_.environment.id, scope, {due}};
    }
    World world_;
    TimeMs due_ = 0;
    std::string disk_;
    store::Schedule schedule_;
};

TEST_F(Runs, ADueMomentBecomesOneBackupLikeThoseThatPeopleOrder) {
    run();
    run();
    ASSERT_EQ(backups(), 1U);
    const auto row = world_.backup(id_of(due_));
    EXPECT_EQ(row.trigger_kind, "scheduled");
    EXPECT_EQ(row.scope, "db");
    EXPECT_EQ(row.performed_by, "schedule");
    EXPECT_EQ(row.status, "pending");
    const auto offered = world_.ask();
    ASSERT_EQ(offered.assignments.size(), 1U);
    EXPECT_EQ(offered.assignments[0].order.at("dueAt").as_string(), to_rfc3339(due_));
    EXPECT_EQ(offered.assignments[0].order.at("destinations").at(0).at("id").as_string(), disk_);
    ASSERT_EQ(runs().size(), 1U);
    EXPECT_EQ(runs()[0].outcome, "ordered");
    EXPECT_EQ(runs()[0].backup_id, row.id);
    EXPECT_GT(*next(), world_.now);
    EXPECT_TRUE(world_.stir.agents.contains(world_.agent.id));
}

TEST_F(Runs, NothingIsOrderedBesideWhatWorksOnTheEnvironment) {
    world_.order_backup();
    run();
    EXPECT_EQ(backups(), 1U);
    ASSERT_EQ(runs().size(), 1U);
    EXPECT_EQ(runs()[0].outcome, "skipped");
    EXPECT_THAT(runs()[0].message, HasSubstr("works on this environment"));
    const auto alarms = alerts::Alerts(world_.db()).list({world_.organization_id, "", false, {}}).value();
    ASSERT_EQ(alarms.items.size(), 1U);
    EXPECT_EQ(alarms.items[0].type, "schedule_skipped");
    EXPECT_EQ(alarms.items[0].about.environment_id, world_.environment.id);
    EXPECT_FALSE(alarms.items[0].resolved_at);
    ASSERT_TRUE(dispatch::cancel_job(world_.db(), dispatch::unfinished_jobs(world_.db()).value().at(0).id, world_.now,
                                     world_.stir));
    world_.now += kHour;
    ASSERT_TRUE(world_.beat({}));
    run();
    EXPECT_EQ(backups(), 2U);
    EXPECT_TRUE(alerts::Alerts(world_.db()).find(world_.organization_id, alarms.items[0].id).value()->resolved_at);
}

TEST_F(Runs, AnAgentThatIsAwayIsWaitedForAndCatchesUpOnce) {
    world_.now = due_ + 10 * kHour;
    run();
    EXPECT_EQ(backups(), 0U);
    world_.now += 5 * kMinute;
    ASSERT_TRUE(world_.beat({}));
    run();
    run();
    EXPECT_EQ(backups(), 1U);
    EXPECT_EQ(runs()[0].outcome, "ordered");
    EXPECT_EQ(runs().back().outcome, "missed") << "the first of what was passed over";
    EXPECT_EQ(runs().back().due_at, due_);
}

TEST_F(Runs, WhatIsOlderThanHalfItsIntervalIsMissed) {
    world_.now = due_ + 45 * kMinute;
    ASSERT_TRUE(world_.beat({}));
    schedule_.db.next = due_;
    schedule_.db.cron = "0 0 1 1 *";
    put();
    run();
    EXPECT_EQ(backups(), 1U) << "a year's run may be 45 minutes late";
    schedule_.db.cron = "0 * * * *";
    schedule_.db.next = due_ - 3 * kHour;
    put();
    ASSERT_TRUE(dispatch::cancel_job(world_.db(), id_of(due_), world_.now, world_.stir));
    const TimeMs hour = due_ + kHour;
    world_.now = hour + 31 * kMinute;
    ASSERT_TRUE(world_.beat({}));
    run();
    EXPECT_EQ(backups(), 1U);
    EXPECT_EQ(runs()[0].due_at, hour);
    EXPECT_EQ(runs()[0].outcome, "missed");
}

TEST_F(Runs, WithoutADestinationItIsSkippedAndSaysSo) {
    ASSERT_TRUE(store::Destinations(world_.db()).remove(world_.organization_id, disk_, world_.now));
    run();
    EXPECT_EQ(backups(), 0U);
    EXPECT_THAT(runs()[0].message, HasSubstr("no backup destination"));
}

TEST_F(Runs, OneBrokenScheduleKeepsNoOtherFromRunning) {
    schedule_.time_zone = "Europe/Atlantis";
    put();
    store::Environment staging = world_.environment;
    staging.name = "staging";
    staging.type = "staging";
    staging.database = "staging";
    staging = store::Environments(world_.db()).create(staging, world_.now).value();
    schedule_.id = new_uuid();
    schedule_.time_zone = "UTC";
    schedule_.environment_id = staging.id;
    put();
    run();
    EXPECT_EQ(backups(), 1U);
}

TEST_F(Runs, WhatTheAgentRanAloneIsNotOrderedAgain) {
    world_.now = due_ + 12 * kMinute;
    beat({told(due_)});
    run();
    EXPECT_EQ(backups(), 0U) << "it tells of it in its own time";
    ASSERT_EQ(runs().size(), 1U);
    EXPECT_EQ(runs()[0].outcome, "by_agent");
    EXPECT_EQ(runs()[0].backup_id, id_of(due_));
    EXPECT_FALSE(world_.send(declared(due_)).refused);
    EXPECT_EQ(backups(), 1U);
    EXPECT_EQ(world_.backup(id_of(due_)).trigger_kind, "scheduled");
    EXPECT_EQ(runs().size(), 1U);
}

TEST_F(Runs, EveryRunThatTheAgentMadeAloneIsKnownAfterwards) {
    world_.now = due_ + 3 * kHour - kMinute;
    beat({told(due_ + 2 * kHour)});
    for (const TimeMs due : {due_, due_ + kHour, due_ + 2 * kHour}) EXPECT_FALSE(world_.send(declared(due)).refused);
    run();
    EXPECT_EQ(backups(), 3U);
    EXPECT_EQ(runs().size(), 3U);
    for (const auto& found : runs()) EXPECT_EQ(found.outcome, "by_agent");
}

TEST_F(Runs, WhatTheAgentBeganAloneAndFailedIsOrderedAgainAsTheRulesSay) {
    const auto fails = [&](TimeMs due, std::int64_t seq) {
        Report last = world_.report(id_of(due), 0, seq, ReportKind::finished);
        last.finished.emplace();
        last.finished->transient = true;
        last.finished->error_message = "the server was starting";
        EXPECT_FALSE(world_.send(last).refused);
    };
    world_.now = due_ + 12 * kMinute;
    EXPECT_FALSE(world_.send(declared(due_)).refused);
    fails(due_, 2);
    EXPECT_EQ(world_.job(id_of(due_)).state, JobState::queued);
    beat({told(due_)});
    EXPECT_TRUE(world_.ask().assignments.empty()) << "after a minute";
    world_.now += kMinute;
    beat({told(due_)});
    const auto again = world_.ask();
    ASSERT_EQ(again.assignments.size(), 1U);
    EXPECT_EQ(again.assignments[0].fence, 1);
    EXPECT_EQ(again.assignments[0].attempt, 2);
    EXPECT_EQ(again.assignments[0].order.at("destinations").at(0).at("config").at("path").as_string(), "/backups");
    EXPECT_EQ(backups(), 1U);
}

TEST_F(Runs, WhatFailedBeforeALaterMomentIsLeftAsItIs) {
    world_.now = due_ + 2 * kHour;
    EXPECT_FALSE(world_.send(declared(due_)).refused);
    EXPECT_FALSE(world_.send(declared(due_ + kHour)).refused);
    Report last = world_.report(id_of(due_), 0, 2, ReportKind::finished);
    last.finished.emplace();
    last.finished->transient = true;
    EXPECT_FALSE(world_.send(last).refused);
    EXPECT_EQ(world_.job(id_of(due_)).state, JobState::finished);
}

TEST_F(Runs, WhatWasOrderedAndNeverTakenIsAdoptedFromTheAgentThatRanIt) {
    run();
    const std::string id = id_of(due_);
    world_.now += 20 * kMinute;
    const auto answer = beat({told(due_)}, {{id, 0}});
    EXPECT_TRUE(answer.lost.empty()) << "it is told to stop what it began by itself";
    world_.ask();  // the order goes out before the outbox has told
    EXPECT_EQ(world_.job(id).fence, 1);
    EXPECT_TRUE(beat({told(due_)}, {{id, 0}}).lost.empty());
    EXPECT_FALSE(world_.send(declared(due_)).refused);
    EXPECT_EQ(world_.job(id).state, JobState::accepted);
    EXPECT_EQ(world_.job(id).fence, 0);
    EXPECT_EQ(world_.backup(id).status, "running");
    world_.now += 6000;
    EXPECT_TRUE(world_.ask().assignments.empty()) << "it is not offered any more";
    EXPECT_FALSE(world_.send(declared(due_)).refused) << "repeated";
    EXPECT_EQ(world_.testify(id, 0, 1, plan_backup("db", {disk_}, false)) > 1, true);
    EXPECT_EQ(world_.backup(id).status, "completed");
    EXPECT_EQ(backups(), 1U);
    EXPECT_EQ(runs().size(), 1U);
    EXPECT_EQ(runs()[0].outcome, "ordered");
}

TEST_F(Runs, WhatWasGivenUpForTheAgentsSilenceIsAdoptedToo) {
    run();
    const std::string id = id_of(due_);
    world_.now += 25 * kHour;
    ASSERT_TRUE(world_.sweep());
    ASSERT_EQ(world_.backup(id).status, "failed");
    EXPECT_FALSE(world_.send(declared(due_)).refused);
    EXPECT_EQ(world_.backup(id).status, "running");
}

TEST_F(Runs, WhatWasCancelledOrIsAtWorkIsNotTakenOver) {
    run();
    const std::string id = id_of(due_);
    world_.ask();
    ASSERT_FALSE(world_.send(world_.report(id, 1, 1, ReportKind::accepted)).refused);
    EXPECT_TRUE(world_.send(declared(due_)).refused) << "the agent accepted our order";
    world_.now += kHour;
    Report last = world_.report(id, 1, 2, ReportKind::finished);
    last.finished.emplace();
    ASSERT_FALSE(world_.send(last).refused);
    ASSERT_TRUE(world_.beat({}));
    run();
    const std::string other = runs()[0].backup_id.value();
    ASSERT_NE(other, id);
    ASSERT_TRUE(dispatch::cancel_job(world_.db(), other, world_.now, world_.stir));
    EXPECT_TRUE(world_.send(declared(runs()[0].due_at)).refused);
}

TEST_F(Runs, TheAgentIsToldItsSchedulesOnceAndUpToWhereEverythingIsDecided) {
    world_.now = due_ - 1;
    auto answer = beat();
    ASSERT_TRUE(answer.schedules);
    ASSERT_EQ(answer.schedules->schedules.size(), 1U);
    const auto& told = answer.schedules->schedules[0];
    EXPECT_EQ(told.environment.environment_id, world_.environment.id);
    EXPECT_EQ(told.db_cron, "0 * * * *");
    EXPECT_EQ(told.destinations.at(0).config.at("path").as_string(), "/backups");
    EXPECT_EQ(answer.decided_until->ms, world_.now);
    const std::string version = answer.schedules->version;
    world_.now = due_ + 1;
    answer = beat({}, {}, version);
    EXPECT_FALSE(answer.schedules);
    EXPECT_EQ(answer.decided_until->ms, due_ - 1) << "the moment has come and nothing is decided";
    run();
    EXPECT_EQ(beat({}, {}, version).decided_until->ms, due_ - 1) << "ordered, but not taken by the agent";
    world_.ask();
    world_.send(world_.report(id_of(due_), 1, 1, ReportKind::accepted));
    EXPECT_EQ(beat({}, {}, version).decided_until->ms, world_.now);
    schedule_.paused = true;
    schedule_.updated_at = world_.now;
    put();
    answer = beat({}, {}, version);
    ASSERT_TRUE(answer.schedules);
    EXPECT_TRUE(answer.schedules->schedules.empty());
}

TEST_F(Runs, AnotherAgentsWordsAboutAnEnvironmentAreIgnored) {
    store::Agent wanted;
    wanted.organization_id = world_.organization_id;
    wanted.name = wanted.hostname = "db2";
    const auto stranger = store::Agents(world_.db()).create(wanted, "hash2", world_.now).value();
    Heartbeat heartbeat;
    heartbeat.scheduled_runs = {told(due_), {"no uuid", "db", {1}}, {world_.environment.id, "base", {1}}};
    HeartbeatAnswer answer;
    ASSERT_TRUE(answer_schedules(world_.db(), stranger, heartbeat, {}, world_.now, answer));
    EXPECT_TRUE(runs().empty());
    EXPECT_FALSE(answer.schedules) << "it keeps none";
}

}  // namespace
}  // namespace backstay::schedule
