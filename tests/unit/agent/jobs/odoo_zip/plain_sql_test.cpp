#include "agent/jobs/odoo_zip/plain_sql.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "tests/support/temp_dir.h"

namespace backstay::odoo_zip {
namespace {

TEST(PlainSql, FetchesNoDumpForWhichThereIsNoRoom) {
    const testing::TempDir folder;
    const std::string scratch = folder.path() + "/export";
    restore::OpenedBackup backup;
    backup.manifest.dump_format = "directory";
    ManifestArtifact dump;
    dump.name = artifact::kDatabase;
    dump.uncompressed_bytes = 1ULL << 60U;
    backup.manifest.artifacts.push_back(dump);
    StringSink sink(100);
    const auto made = write_plain_sql({backup, {}, scratch, {}, {}}, sink);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), Errc::exhausted);
    EXPECT_EQ(made.error().reason(), reason::kDiskSpaceLow);
    EXPECT_FALSE(std::filesystem::exists(scratch));
}

}  // namespace
}  // namespace backstay::odoo_zip
