#include "control-plane/schedule/windows.h"

#include <gtest/gtest.h>

#include "control-plane/alerts/repository.h"
#include "control-plane/schedule/book.h"
#include "control-plane/store/cluster_wal.h"
#include "control-plane/store/schedules.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::schedule {
namespace {

using control_plane::ClusterWal;
using dispatch::World;

constexpr TimeMs kDay = 24LL * 3'600'000;

class Windows : public ::testing::Test {
protected:
    Windows() {
        schedule_.id = new_uuid();
        schedule_.environment_id = world_.environment.id;
        schedule_.organization_id = world_.organization_id;
        schedule_.wal_enabled = true;
        schedule_.wal_retention_days = 14;
        schedule_.wal_since = world_.now;
        schedule_.full = {"custom", "0 0 * * *", {}};
        put(schedule_);
        wal_.cluster = "main";
        wal_.archive = "v1/org/clusters/7";
        tell();
    }
    void put(const store::Schedule& schedule) { EXPECT_TRUE(store::Schedules(world_.db()).put(schedule)); }
    void tell() {
        const std::vector<store::ClusterWalRow> rows = {{"main", wal_.archive, json::encode_text(wal_), world_.now}};
        EXPECT_TRUE(store::ClusterWals(world_.db()).replace(world_.agent.id, rows));
    }
    std::vector<control_plane::WalWish> wishes() { return wal_wishes(world_.db(), world_.agent, world_.now).value(); }
    std::vector<alerts::Alert> look() {
        const auto done = watch_windows(world_.db(), world_.now);
        EXPECT_TRUE(done) << done.error().message();
        return alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {100, 0}}).value().items;
    }
    World world_;
    store::Schedule schedule_;
    ClusterWal wal_;
};

TEST_F(Windows, TheAgentIsToldTheLongestWindowAndTheShortestInterval) {
    ASSERT_EQ(wishes().size(), 1U);
    EXPECT_EQ(wishes()[0].cluster, "main");
    EXPECT_EQ(wishes()[0].retention_days, 14);
    EXPECT_EQ(wishes()[0].base_every_days, 1) << "the full backups' cadence";
    store::Environment other = world_.environment;
    other.name = other.database = "other";
    other.type = "staging";
    other = store::Environments(world_.db()).create(other, world_.now).value();
    store::Schedule second = schedule_;
    second.id = new_uuid();
    second.environment_id = other.id;
    second.wal_retention_days = 30;
    second.full = {"custom", "0 0 1 * *", {}};
    put(second);
    EXPECT_EQ(wishes()[0].retention_days, 30);
    EXPECT_EQ(wishes()[0].base_every_days, 1);
    schedule_.wal_enabled = false;
    put(schedule_);
    EXPECT_EQ(wishes()[0].base_every_days, 7) << "a week at most";
    second.paused = true;
    put(second);
    EXPECT_EQ(wishes().size(), 1U) << "WAL keeps flowing through a pause";
    second.enabled = false;
    put(second);
    EXPECT_TRUE(wishes().empty());
}

TEST_F(Windows, TheBookBringsThemAlsoWithoutASingleRun) {
    schedule_.full = {};
    put(schedule_);
    control_plane::Heartbeat heartbeat;
    heartbeat.schedule_version = "";
    control_plane::HeartbeatAnswer answer;
    ASSERT_TRUE(answer_schedules(world_.db(), world_.agent, heartbeat, {}, world_.now, answer));
    ASSERT_TRUE(answer.schedules);
    ASSERT_EQ(answer.schedules->wal.size(), 1U);
    EXPECT_EQ(answer.schedules->wal[0].base_every_days, 7);
    heartbeat.schedule_version = answer.schedules->version;
    answer = {};
    ASSERT_TRUE(answer_schedules(world_.db(), world_.agent, heartbeat, {}, world_.now, answer));
    EXPECT_FALSE(answer.schedules);
    schedule_.wal_retention_days = 15;
    put(schedule_);
    ASSERT_TRUE(answer_schedules(world_.db(), world_.agent, heartbeat, {}, world_.now, answer));
    EXPECT_TRUE(answer.schedules);
}

TEST_F(Windows, AWindowThatShouldBeFilledAndIsNotIsToldUntilItIs) {
    wal_.base_backups = {{new_uuid(), {world_.now + kDay}}};
    wal_.earliest_recoverable = Timestamp{world_.now + kDay};
    tell();
    const TimeMs began = world_.now;
    for (int day = 0; day <= 15; ++day) {
        world_.now = began + day * kDay;
        EXPECT_TRUE(look().empty()) << "day " << day << ": it fills from the first base backup on";
    }
    wal_.earliest_recoverable = Timestamp{began + 10 * kDay};
    tell();
    world_.now = began + 17 * kDay;
    ASSERT_EQ(look().size(), 1U);
    EXPECT_EQ(look()[0].type, "pitr_window_short");
    EXPECT_EQ(look()[0].about.environment_id, world_.environment.id);
    EXPECT_FALSE(look()[0].resolved_at);
    world_.now = began + 24 * kDay;
    EXPECT_TRUE(look()[0].resolved_at);
    schedule_.wal_retention_days = 30;
    schedule_.wal_since = world_.now;
    put(schedule_);
    EXPECT_TRUE(look()[0].resolved_at) << "a window that was lengthened has its time";
    ASSERT_TRUE(store::ClusterWals(world_.db()).replace(world_.agent.id, {}));
    world_.now += 31 * kDay;
    EXPECT_FALSE(look()[0].resolved_at) << "the host archives no more";
}

}  // namespace
}  // namespace backstay::schedule
