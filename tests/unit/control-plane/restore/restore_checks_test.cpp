#include "control-plane/api/restore_checks.h"

#include <gtest/gtest.h>

#include "control-plane/store/place.h"

namespace backstay::api {
namespace {

using control_plane::ClusterInfo;
using control_plane::DatabaseInfo;
using control_plane::Inventory;

ClusterInfo cluster(const std::string& name, std::int32_t version, const std::string& odoo = "") {
    ClusterInfo out;
    out.name = name;
    out.server_version_num = version;
    if (!odoo.empty()) {
        DatabaseInfo database;
        database.name = "shop";
        database.is_odoo = true;
        database.odoo_version = odoo;
        out.databases.push_back(database);
    }
    return out;
}

Manifest manifest(std::int32_t version, const std::string& odoo) {
    Manifest out;
    out.postgres.server_version_num = version;
    out.odoo.emplace();
    out.odoo->major_version = odoo;
    return out;
}

store::Environment target(std::optional<std::string> cluster_name = std::nullopt) {
    store::Environment out;
    out.cluster = std::move(cluster_name);
    out.database = "shop";
    return out;
}

TEST(VersionObstacle, IsAnOlderServer) {
    const Inventory older{"h", {cluster("main", 140'011)}, {}};
    EXPECT_EQ(version_obstacle(manifest(150'004, "17.0"), older, target()),
              "the backup is of PostgreSQL 15, the target runs the older 14");
    const Inventory newer{"h", {cluster("main", 170'000)}, {}};
    EXPECT_FALSE(version_obstacle(manifest(150'004, "17.0"), newer, target()));
}

TEST(VersionObstacle, IsAnotherOdoo) {
    const Inventory inventory{"h", {cluster("main", 150'000, "16.0")}, {}};
    EXPECT_EQ(version_obstacle(manifest(150'004, "17.0"), inventory, target()),
              "the backup is of Odoo 17.0, the target runs 16.0");
    EXPECT_FALSE(version_obstacle(manifest(150'004, "16.0"), inventory, target()));
}

TEST(VersionObstacle, LooksAtTheTargetsOwnCluster) {
    const Inventory two{"h", {cluster("old", 130'000), cluster("new", 160'000)}, {}};
    EXPECT_TRUE(version_obstacle(manifest(150'000, "17.0"), two, target("old")));
    EXPECT_FALSE(version_obstacle(manifest(150'000, "17.0"), two, target("new")));
    EXPECT_FALSE(version_obstacle(manifest(150'000, "17.0"), two, target())) << "nobody knows which: the agent looks";
    const Inventory found{"h", {cluster("old", 130'000, "17.0"), cluster("new", 160'000)}, {}};
    EXPECT_TRUE(version_obstacle(manifest(150'000, "17.0"), found, target())) << "the one that has the database";
}

TEST(Place, OfADatabaseInTwoClustersIsTheEnvironmentsOwnElseTheAgentsFirst) {
    const Inventory both{"h", {cluster("first", 150'000, "17.0"), cluster("second", 150'000, "17.0")}, {}};
    for (const char* name : {"first", "second"}) {
        const store::Place own = store::find_place(both, target(name));
        ASSERT_NE(own.cluster, nullptr);
        EXPECT_EQ(own.cluster->name, name);
        EXPECT_EQ(own.database, &own.cluster->databases.front());
    }
    EXPECT_EQ(store::find_place(both, target()).cluster->name, "first");
    EXPECT_EQ(store::find_place(both, target("third")).cluster, nullptr);
}

TEST(VersionObstacle, IsNotWhatNobodyKnows) {
    EXPECT_FALSE(version_obstacle(manifest(150'000, "17.0"), {}, target()));
    EXPECT_FALSE(version_obstacle({}, {"h", {cluster("main", 140'000, "16.0")}, {}}, target()));
}

store::Environment of_type(const std::string& type) {
    store::Environment out;
    out.type = type;
    return out;
}

TEST(Neutralizing, IsForWhateverIsNotProductionAndMayBeAlive) {
    Manifest alive;
    alive.environment_type = "staging";
    Manifest neutralized = alive;
    neutralized.is_neutralized = true;
    EXPECT_TRUE(must_neutralize(of_type("staging"), of_type("staging"), alive));
    EXPECT_FALSE(must_neutralize(of_type("staging"), of_type("staging"), neutralized));
    EXPECT_TRUE(must_neutralize(of_type("development"), of_type("production"), neutralized)) << "it may have changed";
    EXPECT_FALSE(must_neutralize(of_type("production"), of_type("staging"), alive));
    neutralized.environment_type = "production";
    EXPECT_TRUE(must_neutralize(of_type("staging"), std::nullopt, neutralized)) << "the manifest says where it is from";
}

TEST(EmptyTargets, AreThoseThatAWholeInventoryDoesNotKnow) {
    EXPECT_TRUE(has_no_data({"h", {cluster("main", 150'000)}, {}}, target()));
    EXPECT_FALSE(has_no_data({"h", {cluster("main", 150'000, "17.0")}, {}}, target()));
    EXPECT_FALSE(has_no_data({}, target())) << "nobody knows";
    ClusterInfo broken = cluster("main", 150'000);
    broken.problem = "no route";
    EXPECT_FALSE(has_no_data({"h", {broken}, {}}, target()));
}

}  // namespace
}  // namespace backstay::api
