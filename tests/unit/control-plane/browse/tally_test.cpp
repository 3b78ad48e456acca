#include "control-plane/browse/tally.h"

#include <gtest/gtest.h>

namespace backstay::browse {
namespace {

constexpr TimeMs kDay = 86'400'000;

Joined joined(const std::string& key, bool linked, bool in_flight = false, bool ours = true) {
    Joined out;
    out.of = attribute(key);
    out.linked = linked;
    out.in_flight = in_flight;
    out.ours = ours;
    if (!out.of.environment_id.empty()) out.environment_id = out.of.environment_id;
    return out;
}

TEST(Brakes, HoldWhenManyRecordsWouldGo) {
    EXPECT_FALSE(is_suspicious(0, 0));
    EXPECT_FALSE(is_suspicious(4, 4)) << "few are never too many";
    EXPECT_TRUE(is_suspicious(5, 5));
    EXPECT_TRUE(is_suspicious(5, 16));
    EXPECT_FALSE(is_suspicious(6, 20)) << "30 % is not more than 30 %";
    EXPECT_TRUE(is_suspicious(7, 20));
}

TEST(OrphanCutoff, LeavesADayAtLeast) {
    EXPECT_EQ(orphan_cutoff(30, 100 * kDay), 70 * kDay);
    EXPECT_EQ(orphan_cutoff(1, 100 * kDay), 99 * kDay);
    EXPECT_EQ(orphan_cutoff(0, 100 * kDay), 99 * kDay);
}

TEST(Tally, CountsByWhatObjectsAre) {
    Tally tally;
    const std::string done = "v1/o/p/e/backups/2026/01/01/b1/";
    const std::string half = "v1/o/p/e/backups/2026/01/02/b2/";
    const std::string now = "v1/o/p/e/backups/2026/01/03/b3/";
    tally.add({"stray", 7, 5 * kDay, "", ""}, joined("stray", false));
    tally.add({done + "database.dump.zst", 100, 2 * kDay, "", ""}, joined(done + "database.dump.zst", true));
    tally.add({done + "manifest.json", 1, 3 * kDay, "", ""}, joined(done + "manifest.json", true));
    tally.add({half + "database.dump.zst", 50, 4 * kDay, "", ""}, joined(half + "database.dump.zst", false));
    tally.add({now + "database.dump.zst", 20, 6 * kDay, "", ""}, joined(now + "database.dump.zst", true, true));
    tally.add({"v1/x/p/e2/backups/2026/01/01/b9/a", 1000, kDay, "", ""},
              joined("v1/x/p/e2/backups/2026/01/01/b9/a", false, false, false));
    tally.end();
    const json::Value whole = tally.analytics({});
    const json::Object& out = whole.get_object();
    EXPECT_EQ(out.at("totalFiles").to_number<int>(), 6);
    EXPECT_EQ(out.at("totalSizeBytes").to_number<int>(), 1178);
    EXPECT_EQ(out.at("linkedFiles").to_number<int>(), 3);
    EXPECT_EQ(out.at("orphanFiles").to_number<int>(), 2) << "not another organization's";
    EXPECT_EQ(out.at("orphanSizeBytes").to_number<int>(), 57);
    EXPECT_EQ(out.at("incompleteUploads").to_number<int>(), 1) << "not the one that is being written";
    EXPECT_EQ(out.at("oldestFileAt").as_string(), to_rfc3339(kDay));
    EXPECT_EQ(out.at("newestFileAt").as_string(), to_rfc3339(6 * kDay));
    ASSERT_EQ(out.at("byEnvironment").as_array().size(), 1U);
    const json::Object& environment = out.at("byEnvironment").as_array()[0].get_object();
    EXPECT_EQ(environment.at("projectId").as_string(), "p");
    EXPECT_EQ(environment.at("sizeBytes").to_number<int>(), 171);
    EXPECT_EQ(environment.at("backups").to_number<int>(), 1);
    EXPECT_EQ(environment.at("orphanSizeBytes").to_number<int>(), 50);
    EXPECT_EQ(out.at("byKind").as_object().at("db").as_object().at("files").to_number<int>(), 3);
}

TEST(Tally, ShowsAHundredOrphansOfAnyNumber) {
    Tally tally;
    for (int i = 0; i < 5000; ++i) {
        const std::string key = "stray/" + std::to_string(i);
        tally.add({key, 1, kDay, "", ""}, joined(key, false));
    }
    tally.subtract_orphan(1);
    const json::Value out = tally.analytics({});
    EXPECT_EQ(out.get_object().at("orphans").as_array().size(), 100U);
    EXPECT_EQ(out.get_object().at("orphanFiles").to_number<int>(), 4999);
    EXPECT_EQ(out.get_object().at("totalFiles").to_number<int>(), 4999);
}

}  // namespace
}  // namespace backstay::browse
