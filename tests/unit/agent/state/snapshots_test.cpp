#include "agent/state/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/state/jobs.h"
#include "agent/state/state.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StateSnapshots : public ::testing::Test {
protected:
    void SetUp() override { database_.emplace(open_state(folder_.path()).value()); }

    SnapshotRepository snapshots() { return SnapshotRepository(*database_); }

    void add(const std::string& id, TimeMs completed_at, const std::string& base = "") {
        SnapshotRow row;
        row.snapshot_id = id;
        row.environment = "v1/o/p/e";
        row.folder = row.environment + "/snapshots/" + id;
        row.database = "shop";
        row.origin = kOriginSocket;
        ASSERT_TRUE(snapshots().begin(row));
        if (!base.empty()) {
            ASSERT_TRUE(snapshots().lean_on(id, base));
        }
        row.completed_at = Timestamp{completed_at};
        row.mode = base.empty() ? "full" : "differential";
        ASSERT_TRUE(snapshots().complete(row, ""));
    }

    // A rollback to `snapshot`, with `safety` taken first.
    void roll_back(const std::string& job, const std::string& snapshot, const std::string& safety) {
        JobRow row;
        row.job_id = job;
        row.kind = "rollback";
        row.origin = kOriginSocket;
        row.operation_id = "operation of " + job;
        row.order["snapshotId"] = snapshot;
        row.order["safetySnapshot"] = json::Object{{"snapshotId", safety}};
        ASSERT_TRUE(JobRepository(*database_).add(row));
    }

    std::vector<std::string> expired(TimeMs before) {
        std::vector<std::string> ids;
        const auto rows = snapshots().expired(before);
        for (const SnapshotRow& row : *rows) ids.push_back(row.snapshot_id);
        return ids;
    }

    testing::TempDir folder_;
    std::optional<sqlite::Database> database_;
};

TEST_F(StateSnapshots, TheNewestFullOneIsTheLastThatWasBegunWhateverTheClockSaid) {
    add("of a clock that was ahead", 9'000'000);
    add("the next", 1'000);
    const auto newest = snapshots().newest_full("v1/o/p/e").value();
    EXPECT_EQ(newest->snapshot_id, "the next");
}

TEST_F(StateSnapshots, WhatARollbackWorksWithStaysUntilItsEnd) {
    add("full", 1'000);
    add("differential", 2'000, "full");
    add("safety", 3'000, "full");
    roll_back("job", "differential", "safety");
    for (const char* id : {"differential", "safety"}) {
        const auto refused = snapshots().begin_deletion(id);
        ASSERT_FALSE(refused) << id;
        EXPECT_EQ(refused.error().code(), Errc::conflict);
        EXPECT_THAT(refused.error().message(), HasSubstr("operation of job"));
    }
    EXPECT_THAT(expired(10'000), IsEmpty());
    ASSERT_TRUE(JobRepository(*database_).finish("job", {}, 5));
    EXPECT_THAT(expired(10'000), ElementsAre("differential", "safety"));
    EXPECT_TRUE(snapshots().begin_deletion("differential"));
}

TEST_F(StateSnapshots, NothingLeansOnWhatIsGoing) {
    add("full", 1'000);
    ASSERT_TRUE(snapshots().begin_deletion("full"));
    SnapshotRow row;
    row.snapshot_id = "late";
    ASSERT_TRUE(snapshots().begin(row));
    EXPECT_EQ(snapshots().lean_on("late", "full").error().code(), Errc::not_found);
    EXPECT_FALSE(snapshots().newest_full("v1/o/p/e")->has_value());
}

}  // namespace
}  // namespace backstay
