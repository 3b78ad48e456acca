#include "agent/state/wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "agent/state/state.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

constexpr std::uint64_t kBytes = 16 << 20;

class WalState : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = open_state(folder_.path());
        ASSERT_TRUE(opened) << opened.error().message();
        database_.emplace(std::move(*opened));
        repository_.emplace(*database_);
        ASSERT_TRUE(repository_->put_cluster(cluster_));
    }
    void add(wal::Timeline timeline, std::uint64_t number, std::optional<TimeMs> commit = std::nullopt) {
        WalSegment segment;
        segment.timeline = timeline;
        segment.number = number;
        segment.digest = "d";
        segment.first_commit = segment.last_commit = commit;
        segment.stored_bytes = 100;
        segment.archived_at = 1;
        ASSERT_TRUE(repository_->put_segment("7", segment));
    }

    testing::TempDir folder_;
    std::optional<sqlite::Database> database_;
    std::optional<WalRepository> repository_;
    WalCluster cluster_{"7", "main", "v1/local/clusters/7", kBytes, 150018, 5, 5};
};

TEST_F(WalState, KeepsTheFolderWhereTheArchiveBegan) {
    WalCluster later = cluster_;
    later.folder = "v1/org/clusters/7";
    later.cluster = "renamed";
    later.server_version_num = 0;
    later.last_seen_at = 9;
    ASSERT_TRUE(repository_->put_cluster(later));
    const auto found = repository_->cluster("7").value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->folder, "v1/local/clusters/7");
    EXPECT_EQ(found->cluster, "renamed");
    EXPECT_EQ(found->server_version_num, 150018);
    EXPECT_EQ(found->first_seen_at, 5);
    EXPECT_EQ(found->last_seen_at, 9);
    EXPECT_FALSE(repository_->cluster("8").value());
    EXPECT_EQ(repository_->clusters("renamed").value().size(), 1U);
    EXPECT_EQ(repository_->clusters("main").value().size(), 0U);
}

TEST_F(WalState, SumsSegmentsUpAsThePureFunctionDoes) {
    std::mt19937 random(11);
    std::vector<wal::ArchivedSegment> all;
    for (const wal::Timeline timeline : {1U, 2U, 3U}) {
        for (std::uint64_t number = 0; number < 60; ++number) {
            if (random() % 7 == 0) continue;
            std::optional<TimeMs> commit;
            if (random() % 3 != 0) commit = static_cast<TimeMs>(random() % 1000);
            add(timeline, number, commit);
            all.push_back({timeline, number * kBytes, commit, commit});
        }
    }
    ASSERT_TRUE(repository_->put_history("7", 2, "1\t0/14000028\tx\n", 1));
    ASSERT_TRUE(repository_->put_history("7", 3, "1\t0/14000028\tx\n2\t0/20000000\tx\n", 1));
    const auto histories = repository_->histories("7").value();
    ASSERT_EQ(histories.size(), 2U);
    const auto ours = repository_->runs(cluster_, histories).value();
    const auto pure = wal::sum_up(all, kBytes, histories);
    ASSERT_EQ(ours.size(), pure.size());
    for (std::size_t i = 0; i < pure.size(); ++i) {
        EXPECT_EQ(ours[i].timeline, pure[i].timeline) << i;
        EXPECT_EQ(ours[i].start, pure[i].start) << i;
        EXPECT_EQ(ours[i].end, pure[i].end) << i;
        EXPECT_EQ(ours[i].first_commit, pure[i].first_commit) << i;
        EXPECT_EQ(ours[i].last_commit, pure[i].last_commit) << i;
    }
}

TEST_F(WalState, TakesASegmentTwiceAsOnce) {
    add(1, 4, 10);
    add(1, 4, 20);
    EXPECT_EQ(repository_->segment("7", 1, 4).value()->last_commit, 10);
    EXPECT_FALSE(repository_->segment("7", 1, 3).value());
    EXPECT_EQ(repository_->totals("7").value().segments, 1U);
    EXPECT_EQ(repository_->totals("7").value().stored_bytes, 100U);
}

TEST_F(WalState, RemovesWhatRetentionLetsGo) {
    for (std::uint64_t number = 0; number < 10; ++number) add(1, number);
    add(2, 3);
    EXPECT_EQ(repository_->remove_segments("7", 1, 8).value(), 8);
    EXPECT_EQ(repository_->totals("7").value().segments, 3U);
    EXPECT_EQ(repository_->totals("7").value().newest->timeline, 2U);
    EXPECT_EQ(repository_->timelines("7").value(), (std::vector<wal::Timeline>{1, 2}));
}

TEST_F(WalState, JoinsGapsThatFollowEachOther) {
    ASSERT_TRUE(repository_->add_gap("7", {1, 100, 200, 5, 5, "dropped"}));
    ASSERT_TRUE(repository_->add_gap("7", {1, 200, 300, 6, 6, "dropped"}));
    ASSERT_TRUE(repository_->add_gap("7", {1, 200, 300, 8, 8, "dropped"}));
    ASSERT_TRUE(repository_->add_gap("7", {1, 500, 600, 7, 7, "dropped"}));
    const auto gaps = repository_->gaps("7").value();
    ASSERT_EQ(gaps.size(), 2U);
    EXPECT_EQ(gaps[0].start, 100U);
    EXPECT_EQ(gaps[0].end, 300U);
    EXPECT_EQ(gaps[0].started_at, 5);
    EXPECT_EQ(gaps[0].ended_at, 6);
    ASSERT_TRUE(repository_->remove_gaps_before("7", 1, 300));
    EXPECT_EQ(repository_->gaps("7").value().size(), 1U);
}

TEST_F(WalState, RemembersWhatADestinationLacks) {
    const WalLack lack{"disk", "7", "000000010000000000000001", "d", 5, false, "down"};
    WalLack conflict = lack;
    conflict.name = "000000010000000000000002";
    conflict.conflict = true;
    ASSERT_TRUE(repository_->put_lack(lack));
    ASSERT_TRUE(repository_->put_lack(lack));
    ASSERT_TRUE(repository_->put_lack(conflict));
    WalLack foreign = lack;
    foreign.system_id = "6";
    ASSERT_TRUE(repository_->put_lack(foreign));
    EXPECT_EQ(repository_->lacks("disk", "7", {}, 1).value().size(), 1U);
    EXPECT_TRUE(repository_->lacks("disk", "7", lack, 1).value().empty());
    EXPECT_TRUE(repository_->is_lacking_somewhere("7", lack.name).value());
    const auto counts = repository_->lack_counts("7").value();
    ASSERT_EQ(counts.size(), 1U);
    EXPECT_EQ(counts[0].lacking, 1U);
    EXPECT_EQ(counts[0].conflicts, 1U);
    ASSERT_TRUE(repository_->remove_lack(lack));
    EXPECT_TRUE(repository_->lacks("disk", "7", {}, 10).value().empty());
}

TEST_F(WalState, ForgetsTheLacksOfSegmentsThatAreGone) {
    for (const char* name :
         {"000000010000000000000001", "000000020000000000000002", "000000020000000000000003", "00000002.history"}) {
        ASSERT_TRUE(repository_->put_lack({"disk", "7", name, "d", 5, false, "down"}));
    }
    ASSERT_TRUE(repository_->remove_lacks("7", "0000000000000003"));
    const auto left = repository_->lacks("disk", "7", {}, 10).value();
    ASSERT_EQ(left.size(), 2U);
    EXPECT_EQ(left[0].name, "00000002.history");
    EXPECT_EQ(left[1].name, "000000020000000000000003");
}

TEST_F(WalState, KeepsBasesForCoverage) {
    WalBase base;
    base.backup_id = "b1";
    base.system_id = "7";
    base.timeline = 1;
    base.start = 2 * kBytes + 40;
    base.stop = 2 * kBytes + 400;
    base.started_at = 10;
    base.ended_at = 20;
    base.folder = "f";
    base.reason = "wal_enabled";
    base.status = "completed";
    base.destination_ids = {"disk"};
    ASSERT_TRUE(repository_->put_base(base));
    for (std::uint64_t number = 2; number < 6; ++number) add(1, number, 15 + static_cast<TimeMs>(number) * 10);
    const auto holdings = repository_->holdings(cluster_).value();
    EXPECT_EQ(repository_->bases("7").value().front().destination_ids, base.destination_ids);
    const auto coverage = wal::cover(holdings);
    ASSERT_EQ(coverage.ranges.size(), 1U);
    EXPECT_EQ(coverage.latest, 65);
    ASSERT_TRUE(repository_->remove_base("b1"));
    EXPECT_TRUE(repository_->bases("7").value().empty());
}

}  // namespace
}  // namespace backstay
