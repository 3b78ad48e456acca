#include "agent/worker/orders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/reasons.h"

namespace backstay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Orders, ReadsEveryKindAndKnowsItsOwnName) {
    for (const char* kind : {"backup", "restore", "verify", "copy", "delete", "undo", "test_destination", "base_backup",
                             "snapshot", "rollback", "delete_snapshot"}) {
        const auto order = decode_order(kind, {});
        ASSERT_TRUE(order) << kind;
        EXPECT_EQ(kind_of(*order), kind);
    }
    EXPECT_EQ(decode_order("dance", {}).error().code(), Errc::invalid);
    EXPECT_FALSE(decode_order("backup", {{"backupId", 5}}));
}

TEST(Orders, StoresNoSecretOfAnyDestination) {
    DestinationOrder bucket{"b", "bucket", "s3", json::Object{{"secretAccessKey", "hush"}}};
    BackupOrder backup;
    backup.backup_id = "1";
    backup.destinations = {bucket};
    RestoreOrder restore;
    restore.destinations = {bucket};
    restore.safety_backup = backup;
    CopyOrder copy;
    copy.from = {bucket};
    copy.to = {bucket};
    RestoreOrder pitr;
    pitr.pitr = PitrOrder{};
    pitr.pitr->destinations = {bucket};
    pitr.pitr->filestores = {{"2", "v1/x", {bucket}, {}}};
    BaseBackupOrder base;
    base.destinations = {bucket};
    for (const Order& order : {Order(backup), Order(restore), Order(copy), Order(TestDestinationOrder{"t", bucket}),
                               Order(pitr), Order(base)}) {
        const std::string text = json::serialize(json::Value(without_secrets(order)));
        EXPECT_THAT(text, Not(HasSubstr("hush")));
        EXPECT_THAT(text, HasSubstr("\"id\":\"b\""));
    }
}

TEST(Orders, TakesNoDatabaseWhoseNameLeadsOutOfTheFolderOfFilestores) {
    for (const char* name : {".", "..", "a/b", "/etc", "../x"}) {
        EXPECT_FALSE(decode_order("restore", {{"target", json::Object{{"database", name}}}})) << name;
        EXPECT_FALSE(decode_order("backup", {{"environment", json::Object{{"database", name}}}})) << name;
    }
    EXPECT_TRUE(decode_order("restore", {{"target", json::Object{{"database", "a.b-c d"}}}}));
}

TEST(Orders, LocksTheDatabaseThatAJobChanges) {
    RestoreOrder restore;
    restore.target.cluster = "main";
    restore.target.database = "shop";
    BackupOrder backup;
    backup.environment = restore.target;
    VerifyOrder verify;
    verify.environment = restore.target;
    EXPECT_EQ(locked_database(Order(restore)), locked_database(Order(backup)));
    EXPECT_EQ(locked_database(Order(verify)), "");
    EXPECT_FALSE(is_quick(Order(verify)));
    BaseBackupOrder base;
    base.cluster = "main";
    EXPECT_EQ(locked_database(Order(base)), locked_database(Order(base)));
    EXPECT_NE(locked_database(Order(base)), locked_database(Order(backup)));
    EXPECT_FALSE(is_quick(Order(base)));
    EXPECT_TRUE(is_quick(Order(UndoOrder{})));
}

TEST(Orders, AMomentIsSearchedWhereItsClustersWalLies) {
    AgentConfig config;
    DestinationOrder disk;
    disk.id = "disk";
    config.destinations = {disk};
    WalConfig wal;
    wal.cluster = "main";
    config.wal = {wal};
    RestoreOrder order;
    order.pitr = PitrOrder{};
    const auto complete = complete_moment(order, config, "main");
    ASSERT_TRUE(complete);
    ASSERT_EQ(complete->pitr->destinations.size(), 1U);
    EXPECT_EQ(complete->pitr->destinations.front().id, "disk");
    // No empty list of destinations is ever searched.
    const auto refused = complete_moment(order, config, "other");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), reason::kNoDestination);
    EXPECT_THAT(refused.error().message(), HasSubstr("archives no WAL of cluster \"other\""));
}

TEST(Orders, NameTheFolderBelowWhichTheyCopySnapshots) {
    SnapshotOrder snapshot;
    snapshot.snapshot_id = "s";
    snapshot.environment.organization_id = "o";
    snapshot.environment.project_id = "p";
    snapshot.environment.environment_id = "e";
    EXPECT_EQ(snapshots_written_by(snapshot), "v1/o/p/e/snapshots");
    RollbackOrder rollback;
    EXPECT_EQ(snapshots_written_by(rollback), std::nullopt);
    rollback.safety_snapshot = snapshot;
    EXPECT_EQ(snapshots_written_by(rollback), "v1/o/p/e/snapshots");
    EXPECT_EQ(snapshots_written_by(BackupOrder{}), std::nullopt);
}

}  // namespace
}  // namespace backstay
