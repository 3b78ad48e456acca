#include "common/domain/layout.h"

#include <gtest/gtest.h>

namespace backstay::layout {
namespace {

TEST(Layout, NamesTheFolderByOwnerAndDayInUtc) {
    const TimeMs before_midnight = *parse_rfc3339("2026-03-01T00:30:00+01:00");
    EXPECT_EQ(backup_folder({"org", "project", "environment"}, before_midnight, "id"),
              "v1/org/project/environment/backups/2026/02/28/id");
}

TEST(Layout, SnapshotsLieBesideTheBackupsOfTheirEnvironment) {
    EXPECT_EQ(snapshot_folder({"org", "project", "environment"}, "id"), "v1/org/project/environment/snapshots/id");
}

TEST(Layout, NamesEveryArtifactByWhatItIs) {
    EXPECT_EQ(artifact_file("db", false, false), "database.dump.zst");
    EXPECT_EQ(artifact_file("db", true, false), "database.tar.zst");
    EXPECT_EQ(artifact_file("db", true, true), "database.tar.zst.enc");
    EXPECT_EQ(artifact_file("filestore", true, false), "filestore.tar.zst");
    EXPECT_EQ(artifact_file("config", false, true), "config.tar.zst.enc");
    EXPECT_EQ(artifact_file("globals", false, false), "globals.sql.zst");
    EXPECT_EQ(artifact_file("manifest", false, true), "manifest.json");
}

TEST(Layout, SnapshotsLieBesideBackupsOfTheirEnvironment) {
    EXPECT_EQ(snapshot_folder({"org", "project", "env"}, "id"), "v1/org/project/env/snapshots/id");
    EXPECT_EQ(differential_file(false), "filestore.diff.tar.zst");
    EXPECT_EQ(differential_file(true), "filestore.diff.tar.zst.enc");
}

TEST(Layout, BaseBackupsBelongToTheirCluster) {
    const std::string cluster = cluster_folder("org", "7301234567890123456");
    EXPECT_EQ(cluster, "v1/org/clusters/7301234567890123456");
    EXPECT_EQ(base_folder(cluster, "id"), "v1/org/clusters/7301234567890123456/base/id");
    EXPECT_EQ(artifact_file("base", false, true), "base.tar.zst.enc");
    EXPECT_EQ(artifact_file("backup_manifest", false, false), "backup_manifest.zst");
}

}  // namespace
}  // namespace backstay::layout
