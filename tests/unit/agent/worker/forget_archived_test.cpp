#include <gtest/gtest.h>

#include "agent/state/state.h"
#include "agent/state/wal.h"
#include "agent/worker/catalogue.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

constexpr std::uint64_t kSegment = wal::kDefaultSegmentBytes;

WalBase base(const std::string& id, const std::string& system_id) {
    WalBase row;
    row.backup_id = id;
    row.system_id = system_id;
    row.timeline = 1;
    return row;
}

TEST(ForgetArchived, ForgetsWhatGoesAndBasesThatNoDestinationHas) {
    const testing::TempDir folder;
    auto database = open_state(folder.path());
    ASSERT_TRUE(database);
    WalRepository archive(*database);
    for (const char* id : {"old", "lost", "kept"}) ASSERT_TRUE(archive.put_base(base(id, "7")));
    ASSERT_TRUE(archive.put_base(base("other", "8")));
    for (std::uint64_t number = 0; number < 6; ++number) {
        WalSegment segment;
        segment.timeline = 1;
        segment.number = number;
        ASSERT_TRUE(archive.put_segment("7", segment));
    }
    ASSERT_TRUE(archive.put_lack({"disk", "7", "000000010000000000000002", "d", 1, false, "down"}));
    Manifest manifest;
    manifest.postgres.system_id = "7";
    manifest.base = ManifestBase{};
    manifest.base->segment_bytes = kSegment;
    wal::Disposal gone;
    gone.bases = {"old"};
    gone.segments_before = 4 * kSegment;
    ASSERT_TRUE(forget_archived(*database, manifest, gone, {"old", "kept"}));
    const auto left = archive.bases("7").value();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].backup_id, "kept");
    EXPECT_EQ(archive.bases("8").value().size(), 1U);
    EXPECT_EQ(archive.totals("7").value().segments, 2U);
    EXPECT_TRUE(archive.lacks("disk", "7", {}, 10).value().empty());
}

}  // namespace
}  // namespace backstay
