#include "common/sqlite/migrations.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/unit/common/sqlite/test_migrations.h"

namespace backstay::sqlite {
namespace {

class SqliteMigrations : public ::testing::Test {
protected:
    Database open() {
        auto opened = Database::open(path_);
        if (!opened) ::abort();
        return std::move(*opened);
    }
    testing::TempDir dir_;
    std::string path_ = dir_.path() + "/test.db";
};

TEST_F(SqliteMigrations, AreAppliedInOrderAndOnce) {
    Database database = open();
    ASSERT_TRUE(migrate(database, test_migrations().first(1)));
    EXPECT_EQ(*schema_version(database), 1);
    ASSERT_TRUE(database.run("INSERT INTO things (id, size_bytes) VALUES ($1, $2)", {"a", 1}));
    ASSERT_TRUE(migrate(database, test_migrations()));
    ASSERT_TRUE(migrate(database, test_migrations()));
    EXPECT_EQ(*schema_version(database), 2);
    EXPECT_TRUE(database.run("INSERT INTO notes (thing_id, note) VALUES ($1, $2)", {"a", "kept"}));
}

TEST_F(SqliteMigrations, ADatabaseOfANewerProgramIsRefused) {
    Database database = open();
    ASSERT_TRUE(migrate(database, test_migrations()));
    const auto refused = migrate(database, test_migrations().first(1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::invalid);
    EXPECT_NE(refused.error().message().find("schema version 2"), std::string::npos);
    EXPECT_NE(refused.error().message().find("newer version"), std::string::npos);
}

TEST_F(SqliteMigrations, AFailingOneLeavesTheVersionBefore) {
    Database database = open();
    const Migration broken[] = {{1, "001_good", "CREATE TABLE a (id TEXT) STRICT"},
                                {2, "002_bad", "CREATE TABLE b (id TEXT) STRICT; SELECT no_such_function()"}};
    const auto failed = migrate(database, broken);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find("002_bad"), std::string::npos);
    EXPECT_EQ(*schema_version(database), 1);
    EXPECT_FALSE(database.query("SELECT id FROM b"));
}

TEST_F(SqliteMigrations, SeveralProgramsMayMigrateAtOnce) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([this] {
            Database database = open();
            const auto done = migrate(database, test_migrations());
            EXPECT_TRUE(done) << done.error().message();
        });
    }
    threads.clear();
    Database database = open();
    EXPECT_EQ(*schema_version(database), 2);
}

}  // namespace
}  // namespace backstay::sqlite
