// Alerts from heartbeats and from silence, with a clock moved by hand and the real store.
#include "control-plane/dispatch/watch.h"

#include <gmock/gmock.h>

#include <map>

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

TEST_F(Watch, AnAgentThatFlapsIsOneAlert) {
    for (int i = 0; i < 5; ++i) {
        world_.now += alerts::kOfflineMs;
        look();
        world_.now += 1000;
        beat({});
    }
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(all()[0].occurrences, 5);
    EXPECT_TRUE(all()[0].resolved_at);
}

TEST_F(Watch, LittleSpaceIsToldOfTheDestinationThatLiesThere) {
    store::Agent stranger;
    stranger.organization_id = world_.organization_id;
    stranger.name = stranger.hostname = "db2";
    stranger = store::Agents(world_.db()).create(stranger, "hash2", world_.now).value();
    auto transaction = sql::Transaction::begin(world_.db()).value();
    std::map<std::string, std::string> paths;
    const auto local = [&](const std::string& name, const std::string& path, std::optional<std::string> agent) {
        store::DestinationRow row;
        row.id = new_uuid();
        row.organization_id = world_.organization_id;
        row.name = name;
        row.type = "local";
        row.agent_id = std::move(agent);
        EXPECT_TRUE(store::Destinations(world_.db()).create(transaction, row));
        paths[row.id] = path;
        return row.id;
    };
    const std::string full = local("full", "/backups/acme", std::nullopt);
    const std::string roomy = local("roomy", "/other/acme", world_.agent.id);
    const std::string elsewhere = local("elsewhere", "/backups/acme", stranger.id);
    ASSERT_TRUE(transaction.commit());
    const std::string backup = world_.order_backup({full, roomy});
    world_.ask();
    ASSERT_FALSE(world_.send(world_.report(backup, 1, 1, ReportKind::accepted)).refused);
    world_.testify(backup, 1, 1, plan_backup("full", {full, roomy}, false));
    control_plane::Heartbeat heartbeat;
    heartbeat.inventory.emplace();
    heartbeat.inventory->disks = {{"/backups", "destination", 100, 1000}, {"/other", "destination", 1000, 1000}};
    const auto spaces = [&] {
        const auto done = watch_spaces(
            world_.db(), world_.agent, heartbeat,
            [&](sql::Database&, std::string_view, std::string_view id) -> Result<std::optional<DestinationOrder>> {
                return std::optional<DestinationOrder>(
                    {std::string(id), "d", "local", {{"path", paths.at(std::string(id))}}});
            },
            world_.now);
        EXPECT_TRUE(done) << done.error().message();
    };
    spaces();
    ASSERT_EQ(all().size(), 1U);
    EXPECT_EQ(all()[0].type, type::kDestinationLowSpace);
    EXPECT_EQ(all()[0].organization_id, world_.organization_id);
    EXPECT_EQ(all()[0].about.destination_id, full);
    EXPECT_EQ(all()[0].url, "/api/backup-destinations/" + full);
    EXPECT_THAT(all()[0].title, ::testing::HasSubstr("full"));
    heartbeat.inventory->disks[0].free_bytes = 1000;
    spaces();
    EXPECT_TRUE(all()[0].resolved_at);
    EXPECT_EQ(all().size(), 1U);
}

}  // namespace
}  // namespace backstay::dispatch
