// Schema versions: this file runs on SQLite and on PostgreSQL.
#include "common/sql/migrations.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::sql {
namespace {

constexpr Migration kFirst{1, "001_first", R"sql(
CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER) STRICT;
-- @sqlite
INSERT INTO things (name) VALUES ('from sqlite');
-- @postgres
INSERT INTO things (name) VALUES ('from postgres');
-- @both
INSERT INTO things (name, at) VALUES ('from both', 9007199254740993);
)sql"};
constexpr Migration kSecond{2, "002_second", "CREATE TABLE more (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"};
constexpr Migration kBroken{3, "003_broken", "CREATE TABLE half (name TEXT) STRICT; SELECT * FROM nowhere;"};

class StoreMigrations : public ::testing::Test {
protected:
    Database opened() const { return Database::open(store_).value(); }
    testing::TempDir folder_;
    const std::string store_ = testing::test_store(folder_.path());
    Database db_ = opened();
};

TEST_F(StoreMigrations, AreReadByEitherDatabase) {
    const std::vector<Migration> all{kFirst, kSecond};
    EXPECT_EQ(schema_version(db_).value(), 0);
    const auto done = migrate(db_, all);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(schema_version(db_).value(), 2);
    ASSERT_TRUE(migrate(db_, all)) << "again changes nothing";
    auto rows = db_.query("SELECT name, at FROM things ORDER BY id");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->text(0), testing::on_postgres() ? "from postgres" : "from sqlite");
    ASSERT_TRUE(*rows->step());
    EXPECT_EQ(rows->integer(1), 9007199254740993) << "integers have 64 bits";
    EXPECT_FALSE(*rows->step());
}

TEST_F(StoreMigrations, CompareTextByBytes) {
    ASSERT_TRUE(migrate(db_, std::vector<Migration>{kFirst}));
    ASSERT_TRUE(db_.run("DELETE FROM things"));
    ASSERT_TRUE(db_.run("INSERT INTO things (name) VALUES ('b'), ('A'), ('a'), ('B'), ('é'), ('z')"));
    auto rows = db_.query("SELECT name FROM things ORDER BY name");
    std::string order;
    while (rows->step().value()) order += rows->text(0);
    EXPECT_EQ(order, "ABabzé");
}

TEST_F(StoreMigrations, LeaveNothingOfOneThatFails) {
    const auto done = migrate(db_, std::vector<Migration>{kFirst, kSecond, kBroken});
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message().find("003_broken"), std::string::npos);
    EXPECT_EQ(schema_version(db_).value(), 2);
    EXPECT_FALSE(db_.query("SELECT * FROM half"));
}

TEST_F(StoreMigrations, RefuseAStoreOfANewerProgram) {
    ASSERT_TRUE(migrate(db_, std::vector<Migration>{kFirst, kSecond}));
    const auto older = migrate(db_, std::vector<Migration>{kFirst});
    ASSERT_FALSE(older);
    EXPECT_EQ(older.error().code(), Errc::invalid);
}

TEST_F(StoreMigrations, BegunBySeveralAtOnceHappenOnce) {
    {
        std::vector<std::jthread> all;
        for (int i = 0; i < 4; ++i) {
            all.emplace_back([this] {
                Database db = opened();
                const auto done = migrate(db, std::vector<Migration>{kFirst, kSecond});
                EXPECT_TRUE(done) << done.error().message();
            });
        }
    }
    auto rows = db_.query("SELECT COUNT(*) FROM things");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->integer(0), 2);
}

TEST(StoreMigrationWords, AreChangedWholeAndNowhereElse) {
    EXPECT_EQ(in_postgres("CREATE TABLE t (context TEXT, n INTEGER, INTEGERS TEXT) STRICT;"),
              "CREATE TABLE t (context TEXT COLLATE \"C\", n BIGINT, INTEGERS TEXT COLLATE \"C\");");
}

}  // namespace
}  // namespace backstay::sql
