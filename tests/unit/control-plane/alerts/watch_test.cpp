// Alerts from heartbeats and from silence, with a clock moved by hand and the real store.
#include "control-plane/dispatch/watch.h"

#include <gmock/gmock.h>

#include "control-plane/alerts/repository.h"
#include "control-plane/alerts/rules.h"
#include "tests/unit/control-plane/dispatch/world.h"

namespace backstay::dispatch {
namespace {

using alerts::Alert;
using alerts::Severity;
namespace type = alerts::type;

class Watch : public ::testing::Test {
protected:
    Watch() : began_(world_.now) { EXPECT_TRUE(world_.beat({})); }

    std::vector<Alert> all() {
        return alerts::Alerts(world_.db()).list({world_.organization_id, "", true, {100, 0}}).value().items;
    }
    void look() {
        const auto done = watch_silence(world_.db(), began_, world_.now);
        EXPECT_TRUE(done) << done.error().message();
    }
    void beat(control_plane::Heartbeat heartbeat) {
        heartbeat.instance_id = "one";
        heartbeat.sent_at = {world_.now + skew_};
        const auto answer = take_heartbeat(world_.db(), world_.agent, heartbeat, world_.now, world_.stir);
        EXPECT_TRUE(answer) << answer.error().message();
    }
    World world_;
    TimeMs began_;
    std::int64_t skew_ = 0;
};

TEST_F(Watch, TellsASilentAgentOnceThenThatItIsGoneForLongAndThatItIsBack) {
    world_.now += alerts::kOfflineMs - 1;
    look();
    EXPECT_TRUE(all().empty());
    world_.now += 1;
    look();
    look();
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(all()[0].type, type::kAgentOffline);
    EXPECT_EQ(all()[0].severity, Severity::warning);
    EXPECT_EQ(all()[0].occurrences, 1);
    EXPECT_EQ(all()[0].url, "/api/agents/" + world_.agent.id);
    world_.now += alerts::kOfflineLongMs;
    look();
    EXPECT_EQ(all()[0].severity, Severity::critical);
    beat({});
    EXPECT_TRUE(all()[0].resolved_at) << "in the transaction of the heartbeat itself";
    look();
    EXPECT_EQ(all().size(), 1U);
}

TEST_F(Watch, AsksNobodyForSignsWhileNobodyListened) {
    world_.now += 10 * alerts::kOfflineLongMs;
    began_ = world_.now;
    look();
    world_.now += alerts::kOfflineMs - 1;
    look();
    EXPECT_TRUE(all().empty());
    world_.now += 1;
    look();
    EXPECT_EQ(all().size(), 1U);
}

TEST_F(Watch, KeepsAnOpenAlertOverARestartOfTheControlPlane) {
    world_.now += alerts::kOfflineMs;
    look();
    began_ = world_.now + 1;
    world_.now += 10;
    look();
    ASSERT_EQ(all().size(), 1U);
    EXPECT_FALSE(all()[0].resolved_at);
}

TEST_F(Watch, EndsAlertsOfAnAgentThatIsRemoved) {
    world_.now += alerts::kOfflineMs;
    look();
    ASSERT_TRUE(world_.db().run("UPDATE agents SET deleted_at = $1", {world_.now}));
    look();
    EXPECT_TRUE(all()[0].resolved_at);
}

TEST_F(Watch, TellsOfClockDisksAndWalUntilTheyAreWell) {
    control_plane::Heartbeat bad;
    bad.inventory.emplace();
    bad.inventory->disks = {{"/state", "state", 1, 100ULL << 30}};
    control_plane::ClusterWal wal;
    wal.cluster = "main";
    wal.archiving.enabled = true;
    wal.archiving.status = "failing";
    wal.gaps = {{{world_.now}, {world_.now + 1000}}};
    bad.wal = {wal};
    skew_ = alerts::kSkewMs;
    beat(bad);
    EXPECT_EQ(all().size(), 4U);
    beat({});
    for (const Alert& alert : all()) {
        EXPECT_EQ(alert.resolved_at.has_value(), false) << alert.type << ": disks and WAL are as last time";
    }
    skew_ = 0;
    bad.inventory->disks = {{"/state", "state", 50ULL << 30, 100ULL << 30}};
    bad.wal->front().archiving.status = "ok";
    bad.wal->front().base_backups = {{"base9", {world_.now + 2000}}};
    beat(bad);
    for (const Alert& alert : all()) EXPECT_TRUE(alert.resolved_at) << alert.type;
    EXPECT_EQ(all().size(), 4U);
}

}  // namespace
}  // namespace backstay::dispatch
