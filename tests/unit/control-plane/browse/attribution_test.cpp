#include "control-plane/browse/attribution.h"

#include <gtest/gtest.h>

#include "common/domain/layout.h"

namespace backstay::browse {
namespace {

TEST(Attribution, ReadsBackTheFoldersThatTheLayoutMakes) {
    const auto backup =
        attribute(layout::backup_folder({"o", "p", "e"}, 1'700'000'000'000, "b1") + "/database.dump.zst");
    EXPECT_EQ(backup.area, Area::backup);
    EXPECT_EQ(backup.organization_id, "o");
    EXPECT_EQ(backup.project_id, "p");
    EXPECT_EQ(backup.environment_id, "e");
    EXPECT_EQ(backup.record_id, "b1");
    EXPECT_EQ(backup.kind, "db");
    const auto snapshot = attribute(layout::snapshot_folder({"o", "p", "e"}, "s1") + "/manifest.json");
    EXPECT_EQ(snapshot.area, Area::snapshot);
    EXPECT_EQ(snapshot.record_id, "s1");
    EXPECT_EQ(snapshot.kind, "manifest");
    const std::string cluster = layout::cluster_folder("o", "7");
    const auto base = attribute(layout::base_folder(cluster, "b2") + "/base.tar.zst");
    EXPECT_EQ(base.area, Area::base);
    EXPECT_EQ(base.record_id, "b2");
    EXPECT_EQ(base.environment_id, "");
    EXPECT_EQ(base.kind, "base");
    EXPECT_EQ(attribute(cluster + "/wal/00000001/0000000100000000/x.zst").kind, "wal");
}

TEST(Attribution, TellsTheKindByTheFile) {
    const std::string folder = layout::snapshot_folder({"o", "p", "e"}, "s1") + "/";
    EXPECT_EQ(attribute(folder + layout::artifact_file("filestore", false, true)).kind, "filestore");
    EXPECT_EQ(attribute(folder + layout::differential_file(false)).kind, "filestore");
    EXPECT_EQ(attribute(folder + layout::artifact_file("config", false, false)).kind, "config");
    EXPECT_EQ(attribute(folder + "notes.txt").kind, "other");
}

TEST(Attribution, LeavesAloneWhatIsNotInTheLayout) {
    for (const char* key : {"x", "a/b", "v2/o/p/e/backups/x", "v1", ".backstay-probe/x"}) {
        EXPECT_EQ(attribute(key).area, Area::other) << key;
        EXPECT_EQ(attribute(key).kind, "other") << key;
    }
    EXPECT_EQ(attribute("v1/o/p/e/uploads/manifest.json").area, Area::upload);
    EXPECT_EQ(attribute("v1/o/p/e/uploads/manifest.json").kind, "other");
    const auto folder = attribute("v1/o/p/e/");
    EXPECT_EQ(folder.environment_id, "e");
    EXPECT_EQ(folder.record_id, "");
}

}  // namespace
}  // namespace backstay::browse
