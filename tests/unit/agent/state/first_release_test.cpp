// Agents keep their state through upgrades: a database that the first release wrote is read by this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/state/backups.h"
#include "agent/state/damage.h"
#include "agent/state/evidence.h"
#include "agent/state/jobs.h"
#include "agent/state/outbox.h"
#include "agent/state/schedules.h"
#include "agent/state/snapshots.h"
#include "agent/state/state.h"
#include "agent/state/wal.h"
#include "common/files/files.h"
#include "common/sqlite/migrations.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

using ::testing::HasSubstr;

class FirstRelease : public ::testing::Test {
protected:
    void SetUp() override {
        const auto text = read_file(BACKSTAY_SOURCE_DIR "/tests/data/state/agent-0.1.0.sql");
        ASSERT_TRUE(text) << text.error().message();
        auto database = sqlite::Database::open(state_file(folder_.path()));
        ASSERT_TRUE(database);
        const auto loaded = database->run_script(*text);
        ASSERT_TRUE(loaded) << loaded.error().message();
    }
    backstay::testing::TempDir folder_;
};

TEST_F(FirstRelease, StateIsReadWhole) {
    auto opened = open_state(folder_.path());
    ASSERT_TRUE(opened) << opened.error().message();
    sqlite::Database& database = *opened;
    ASSERT_TRUE(database.check_integrity());

    const auto jobs = JobRepository(database).newest(100);
    ASSERT_TRUE(jobs) << jobs.error().message();
    EXPECT_EQ(jobs->size(), 5U);
    std::size_t operations = 0;
    bool pair_kept = false;
    for (const JobRow& job : *jobs) {
        const auto evidence = EvidenceRepository(database).of_job(job.job_id);
        ASSERT_TRUE(evidence) << evidence.error().message();
        operations += evidence->size();
        for (const OperationEvidence& operation : *evidence) {
            EXPECT_FALSE(operation.steps.empty());
            pair_kept = pair_kept || !operation.notes.empty();
        }
    }
    EXPECT_EQ(operations, 6U);
    EXPECT_TRUE(pair_kept);

    const auto backups = BackupRepository(database).newest("", 100);
    ASSERT_TRUE(backups) << backups.error().message();
    ASSERT_EQ(backups->size(), 3U);
    EXPECT_EQ(backups->front().database, "odoo_production");
    EXPECT_EQ(Outbox(database).oldest(100)->size(), 6U);
    EXPECT_EQ(Outbox(database).newest_refused(10)->size(), 1U);
}

TEST_F(FirstRelease, SnapshotsSchedulesAndWalAreReadWhole) {
    auto opened = open_state(folder_.path());
    ASSERT_TRUE(opened) << opened.error().message();
    sqlite::Database& database = *opened;
    const auto snapshots = SnapshotRepository(database).newest("", 10);
    ASSERT_TRUE(snapshots) << snapshots.error().message();
    ASSERT_EQ(snapshots->size(), 1U);
    EXPECT_TRUE(*SnapshotRepository(database).names(snapshots->front().snapshot_id, 0));
    EXPECT_TRUE(*SnapshotRepository(database).newest_full(snapshots->front().environment));

    ScheduleRepository schedules(database);
    EXPECT_TRUE(*schedules.contact());
    ASSERT_EQ(schedules.schedules()->size(), 1U);
    EXPECT_EQ(schedules.schedules()->front().db_cron, "0 0 1 1 *");
    EXPECT_EQ(schedules.runs()->size(), 1U);
    EXPECT_EQ((*schedules.wal_wish("main"))->retention_days, 30);

    WalRepository wal(database);
    const auto clusters = wal.clusters();
    ASSERT_TRUE(clusters);
    ASSERT_EQ(clusters->size(), 1U);
    const std::string& system = clusters->front().system_id;
    EXPECT_EQ(wal.totals(system)->segments, 4U);
    ASSERT_EQ(wal.bases(system)->size(), 1U);
    EXPECT_EQ(wal.holdings(clusters->front())->runs.size(), 1U);
    EXPECT_EQ(wal.histories("7000000000000000001")->size(), 1U);
    EXPECT_EQ(wal.gaps("7000000000000000001")->size(), 1U);
    EXPECT_TRUE(*wal.is_lacking_somewhere("7000000000000000001", "000000010000000000000003"));
}

TEST_F(FirstRelease, StateCountsAsBegunFromTheFirstStartOfThisOneOn) {
    EXPECT_FALSE(*set_damage_aside(folder_.path(), 0));
    ASSERT_TRUE(open_state(folder_.path()));
    ASSERT_TRUE(note_beginning(folder_.path()));
    EXPECT_FALSE(*set_damage_aside(folder_.path(), 0));
}

TEST_F(FirstRelease, IsNoNewerOneWhoseStateIsRefusedAndStaysUntouched) {
    int newest = 0;
    {
        auto database = open_state(folder_.path());
        ASSERT_TRUE(database);
        newest = *sqlite::schema_version(*database);
        ASSERT_TRUE(database->run_script("PRAGMA user_version = " + std::to_string(newest + 1)));
    }
    const auto before = read_file(state_file(folder_.path()));
    EXPECT_FALSE(*set_damage_aside(folder_.path(), 0));
    const auto refused = open_state(folder_.path());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::invalid);
    EXPECT_THAT(refused.error().message(), HasSubstr("newer version"));
    EXPECT_THAT(refused.error().hint(), HasSubstr("install the newer version"));
    EXPECT_EQ(*read_file(state_file(folder_.path())), *before);
    EXPECT_FALSE(std::filesystem::exists(state_file(folder_.path()) + "-wal"));
}

}  // namespace
}  // namespace backstay
