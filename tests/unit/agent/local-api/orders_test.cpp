#include "agent/local-api/orders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/state/backups.h"
#include "agent/state/state.h"
#include "common/domain/reasons.h"
#include "common/ids.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace backstay::local_api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LocalOrders : public ::testing::Test {
protected:
    void SetUp() override {
        database_.emplace(std::move(*open_state(folder_.path())));
        ClusterConfig cluster;
        cluster.name = "main";
        config_.clusters = {cluster};
        config_.destinations = {{"disk", "disk", "local", json::Object{{"path", "/a"}}},
                                {"bucket", "bucket", "s3", json::Object{{"secretAccessKey", "hush"}}}};
    }
    Maker maker() { return Maker{config_, "agent-1", clock_, *database_}; }
    BackupRow keep_backup(std::vector<std::string> destinations) {
        BackupRow row;
        row.backup_id = new_uuid();
        row.cluster = "main";
        row.database = "shop";
        row.scope = "full";
        row.folder = "v1/x";
        row.environment.cluster = "main";
        row.environment.database = "shop";
        row.environment.type = "production";
        row.destination_ids = std::move(destinations);
        EXPECT_TRUE(BackupRepository(*database_).put(row));
        return row;
    }
    static BackupRequest backup_request(const std::string& database) {
        BackupRequest request;
        request.database = database;
        return request;
    }
    std::string fault(const BackupRequest& request) {
        const auto order = make_backup(request, maker());
        return order ? "" : order.error().message();
    }

    backstay::testing::TempDir folder_;
    FakeClock clock_;
    AgentConfig config_;
    std::optional<sqlite::Database> database_;
};

TEST_F(LocalOrders, BacksUpToEveryDestinationUnlessSomeAreNamed) {
    auto order = make_backup(backup_request("shop"), maker());
    ASSERT_TRUE(order) << order.error().message();
    EXPECT_EQ(order->scope, "full");
    EXPECT_EQ(order->environment.organization_id, "local");
    EXPECT_EQ(order->environment.environment_id, "shop");
    EXPECT_EQ(order->destinations.size(), 2U);
    EXPECT_TRUE(order->encrypt_for.empty());
    BackupRequest request = backup_request("shop");
    request.destinations = {"bucket"};
    request.type = "db";
    order = make_backup(request, maker());
    ASSERT_TRUE(order);
    EXPECT_EQ(order->scope, "db");
    EXPECT_EQ(order->destinations[0].config.at("secretAccessKey"), "hush");
}

TEST_F(LocalOrders, EncryptsForAllWhenOneDestinationWantsIt) {
    config_.encrypted = {"bucket"};
    const auto order = make_backup(backup_request("shop"), maker());
    ASSERT_TRUE(order);
    EXPECT_THAT(order->encrypt_for, ElementsAre("disk", "bucket"));
}

TEST_F(LocalOrders, RefusesWhatItDoesNotKnow) {
    EXPECT_THAT(fault(backup_request("")), HasSubstr("database"));
    EXPECT_THAT(fault(backup_request("a/b")), HasSubstr("database"));
    EXPECT_THAT(fault(backup_request(std::string(64, 'x'))), HasSubstr("database"));
    BackupRequest request = backup_request("shop");
    request.cluster = "other";
    EXPECT_THAT(fault(request), HasSubstr("cluster"));
    request = backup_request("shop");
    request.destinations = {"nowhere"};
    EXPECT_THAT(fault(request), HasSubstr("nowhere"));
    config_.destinations.clear();
    const auto order = make_backup(backup_request("shop"), maker());
    ASSERT_FALSE(order);
    EXPECT_EQ(order.error().reason(), reason::kNoDestination);
}

TEST_F(LocalOrders, AsksWhichClusterWhenThereAreSeveral) {
    config_.clusters.emplace_back().name = "second";
    EXPECT_THAT(fault(backup_request("shop")), HasSubstr("several clusters"));
    OdooConfig odoo;
    odoo.cluster = "second";
    odoo.database = "shop";
    config_.odoo = {odoo};
    const auto order = make_backup(backup_request("shop"), maker());
    ASSERT_TRUE(order);
    EXPECT_EQ(order->environment.cluster, "second");
}

TEST_F(LocalOrders, RestoresInPlaceAsItWasAndElsewhereAsACopy) {
    const BackupRow backup = keep_backup({"disk"});
    RestoreRequest request;
    request.backup = backup.backup_id.substr(0, 8);
    auto order = make_restore(request, maker());
    ASSERT_TRUE(order) << order.error().message();
    EXPECT_EQ(order->target_type, "same");
    EXPECT_FALSE(order->neutralize);
    EXPECT_FALSE(order->new_uuid);
    ASSERT_TRUE(order->safety_backup.has_value());
    EXPECT_EQ(order->safety_backup->trigger, "pre_restore");
    EXPECT_EQ(order->destinations.size(), 1U);

    request.database = "copy";
    request.safety_backup = false;
    order = make_restore(request, maker());
    ASSERT_TRUE(order);
    EXPECT_EQ(order->target_type, "other");
    EXPECT_TRUE(order->neutralize);
    EXPECT_TRUE(order->new_uuid);
    EXPECT_FALSE(order->safety_backup.has_value());
    EXPECT_EQ(order->source.database, "shop");

    request.neutralize = false;
    EXPECT_FALSE(make_restore(request, maker())->neutralize);
    request.keep_previous_ms = -1;
    EXPECT_EQ(make_restore(request, maker()).error().code(), Errc::invalid);
}

TEST_F(LocalOrders, SaysThatABackupLiesWhereOnlyTheControlPlaneReaches) {
    RestoreRequest request;
    request.backup = keep_backup({"somewhere"}).backup_id;
    const auto order = make_restore(request, maker());
    ASSERT_FALSE(order);
    EXPECT_EQ(order.error().code(), Errc::not_found);
    EXPECT_THAT(order.error().hint(), HasSubstr("control plane"));
}

TEST_F(LocalOrders, CopiesOnlyToThoseThatLackIt) {
    CopyRequest request;
    request.backup = keep_backup({"disk"}).backup_id;
    const auto order = make_copy(request, maker());
    ASSERT_TRUE(order);
    ASSERT_EQ(order->to.size(), 1U);
    EXPECT_EQ(order->to[0].id, "bucket");
    request.backup = keep_backup({"disk", "bucket"}).backup_id;
    EXPECT_EQ(make_copy(request, maker()).error().code(), Errc::conflict);
}

TEST_F(LocalOrders, StoresNoSecretInTheRowOfAJob) {
    auto order = make_backup(backup_request("shop"), maker());
    ASSERT_TRUE(order);
    const JobRequest job = make_job(Order(std::move(*order)), maker(), "uid=1000", true);
    EXPECT_EQ(job.row.origin, "socket");
    EXPECT_EQ(job.row.database, "shop");
    EXPECT_THAT(json::serialize(json::Value(job.row.order)), ::testing::Not(HasSubstr("hush")));
}

TEST_F(LocalOrders, UndoesRestoresOnly) {
    RestoreRequest request;
    request.backup = keep_backup({"disk"}).backup_id;
    auto restore = make_restore(request, maker());
    ASSERT_TRUE(restore);
    const JobRequest job = make_job(Order(*restore), maker(), "uid=0", false);
    ASSERT_TRUE(JobRepository(*database_).add(job.row));
    const auto undo = make_undo({job.row.job_id.substr(0, 10)}, maker());
    ASSERT_TRUE(undo) << undo.error().message();
    EXPECT_EQ(undo->restore_id, restore->restore_id);
    EXPECT_EQ(undo->target.database, "shop");
    auto backup = make_backup(backup_request("shop"), maker());
    const JobRequest other = make_job(Order(*backup), maker(), "uid=0", false);
    ASSERT_TRUE(JobRepository(*database_).add(other.row));
    EXPECT_EQ(make_undo({other.row.job_id}, maker()).error().code(), Errc::invalid);
}

TEST_F(LocalOrders, TakeNoDatabaseWhoseNameIsAFolderOfItsOwn) {
    for (const char* name : {".", ".."}) EXPECT_THAT(fault(backup_request(name)), HasSubstr("database:")) << name;
}

// A backup that the control plane ordered without naming the only cluster is of that cluster: restored in place, it is
// neither neutralized nor given another identity.
TEST_F(LocalOrders, KnowsTheOnlyClusterByItsNameAndWithout) {
    BackupRow row = keep_backup({"disk"});
    row.backup_id = new_uuid();
    row.cluster = "";
    row.environment.cluster.reset();
    ASSERT_TRUE(BackupRepository(*database_).put(row));
    RestoreRequest request;
    request.backup = row.backup_id;
    request.cluster = "main";
    const auto order = make_restore(request, maker());
    ASSERT_TRUE(order) << order.error().message();
    EXPECT_EQ(order->target_type, "same");
    EXPECT_FALSE(order->neutralize);
}

}  // namespace
}  // namespace backstay::local_api
