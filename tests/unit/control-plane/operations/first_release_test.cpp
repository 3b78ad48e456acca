// A control plane keeps its store through upgrades: one that the first release wrote is read by this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/files/files.h"
#include "common/sql/migrations.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/listing.h"
#include "control-plane/operations/rows.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/cluster_wal.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/schedules.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"

namespace backstay {
namespace {

using ::testing::HasSubstr;

template <class Filter>
Filter of(const store::Organization& organization) {
    Filter filter;
    filter.organization_id = organization.id;
    return filter;
}

class FirstRelease : public ::testing::Test {
protected:
    void SetUp() override {
        const auto text = read_file(BACKSTAY_SOURCE_DIR "/tests/data/state/control-0.1.0.sql");
        ASSERT_TRUE(text) << text.error().message();
        auto database = sql::Database::open(path_);
        ASSERT_TRUE(database);
        const auto loaded = database->run_script(*text);
        ASSERT_TRUE(loaded) << loaded.error().message();
    }
    backstay::testing::TempDir folder_;
    std::string path_ = folder_.path() + "/control.db";
};

TEST_F(FirstRelease, StoreIsReadWhole) {
    const auto prepared = store::prepare_store(path_);
    ASSERT_TRUE(prepared) << prepared.error().message();
    auto opened = store::open_store(path_);
    ASSERT_TRUE(opened);
    sql::Database& db = *opened;
    ASSERT_TRUE(sqlite::Database::open(path_)->check_integrity());
    const auto organizations = store::Organizations(db).list();
    ASSERT_TRUE(organizations) << organizations.error().message();
    ASSERT_EQ(organizations->size(), 2U);
    std::int64_t backups = 0;
    std::int64_t snapshots = 0;
    std::int64_t operations = 0;
    std::int64_t agents = 0;
    std::int64_t destinations = 0;
    for (const store::Organization& organization : *organizations) {
        const auto page = operations::list_backups(db, of<operations::BackupFilter>(organization));
        ASSERT_TRUE(page) << page.error().message();
        backups += page->total;
        for (const operations::BackupRow& row : page->rows) EXPECT_TRUE(*operations::find_operation(db, row.id));
        const auto taken = operations::list_snapshots(db, of<operations::SnapshotFilter>(organization));
        ASSERT_TRUE(taken) << taken.error().message();
        snapshots += taken->total;
        const auto told = operations::list_operations(db, of<operations::OperationFilter>(organization));
        ASSERT_TRUE(told) << told.error().message();
        operations += told->total;
        const auto hosts = store::Agents(db).list(organization.id, {});
        ASSERT_TRUE(hosts) << hosts.error().message();
        agents += hosts->total;
        for (const store::Agent& agent : hosts->items) {
            EXPECT_TRUE(store::ClusterWals(db).of_agent(agent.id));
        }
        const auto places = store::Destinations(db).list(organization.id, {});
        ASSERT_TRUE(places) << places.error().message();
        destinations += places->total;
    }
    EXPECT_EQ(backups, 3);
    EXPECT_EQ(snapshots, 1);
    EXPECT_EQ(operations, 5);
    EXPECT_EQ(agents, 2);
    EXPECT_EQ(destinations, 1);
    EXPECT_EQ(store::Schedules(db).all()->size(), 1U);
}

TEST_F(FirstRelease, IsNoNewerOneWhoseStoreIsRefusedAndStaysUntouched) {
    {
        ASSERT_TRUE(store::prepare_store(path_));
        auto database = store::open_store(path_);
        ASSERT_TRUE(database);
        const int newest = *sql::schema_version(*database);
        ASSERT_TRUE(database->run_script("PRAGMA user_version = " + std::to_string(newest + 1)));
    }
    const auto before = read_file(path_);
    const auto refused = store::prepare_store(path_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::invalid);
    EXPECT_THAT(refused.error().message(), HasSubstr("newer version"));
    EXPECT_EQ(*read_file(path_), *before);
    EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
}

}  // namespace
}  // namespace backstay
