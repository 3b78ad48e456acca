#include "common/sqlite/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/sqlite/transaction.h"
#include "tests/support/temp_dir.h"

namespace backstay::sqlite {
namespace {

class SqliteDatabase : public ::testing::Test {
protected:
    void SetUp() override {
        auto opened = Database::open(path_);
        ASSERT_TRUE(opened) << opened.error().message();
        database_.emplace(std::move(*opened));
        ASSERT_TRUE(
            database_->run_script("CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER, r REAL, b BLOB) STRICT;"
                                  "CREATE TABLE child (t_id TEXT NOT NULL REFERENCES t (id)) STRICT"));
    }
    std::int64_t count() {
        auto statement = database_->query("SELECT count(*) FROM t");
        EXPECT_TRUE(statement && statement->step());
        return statement->integer(0);
    }

    testing::TempDir dir_;
    std::string path_ = dir_.path() + "/test.db";
    std::optional<Database> database_;
};

TEST_F(SqliteDatabase, ValuesComeBackAsTheyWentIn) {
    const Blob bytes{std::byte{0}, std::byte{255}};
    const std::string text("a\0b", 3);
    ASSERT_TRUE(database_->run("INSERT INTO t (id, n, r, b) VALUES ($1, $2, $3, $4)",
                               {text, std::numeric_limits<std::int64_t>::min(), 0.5, bytes}));
    auto row = database_->query("SELECT id, n, r, b FROM t");
    ASSERT_TRUE(row && *row->step());
    EXPECT_EQ(row->text(0), text);
    EXPECT_EQ(row->integer(1), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(row->real(2), 0.5);
    EXPECT_EQ(row->blob(3), bytes);
    EXPECT_FALSE(*row->step());
}

TEST_F(SqliteDatabase, EmptyOptionalsAreNullAndEmptyTextIsNot) {
    ASSERT_TRUE(
        database_->run("INSERT INTO t (id, n) VALUES ($1, $2)", {std::string_view(), std::optional<std::int64_t>()}));
    auto row = database_->query("SELECT id, n FROM t");
    ASSERT_TRUE(row && *row->step());
    EXPECT_EQ(row->optional_text(0), "");
    EXPECT_EQ(row->optional_integer(1), std::nullopt);
}

TEST_F(SqliteDatabase, ParametersAreBoundByTheirNumberNotByTheirOrder) {
    auto row = database_->query("SELECT $2, $1, $2", {"one", "two"});
    ASSERT_TRUE(row && *row->step());
    EXPECT_EQ(row->text(0) + row->text(1) + row->text(2), "twoonetwo");
}

TEST_F(SqliteDatabase, AWrongNumberOfValuesIsRefused) {
    EXPECT_EQ(database_->query("SELECT $1", {}).error().code(), Errc::invalid);
    EXPECT_EQ(database_->query("SELECT $1", {1, 2}).error().code(), Errc::invalid);
    EXPECT_EQ(database_->query("SELECT ?", {1}).error().code(), Errc::invalid);
    EXPECT_EQ(database_->query("SELECT 1; DELETE FROM t").error().code(), Errc::invalid);
    EXPECT_EQ(database_->query("SELECT \"no_such_column\"").error().code(), Errc::invalid);
}

TEST_F(SqliteDatabase, ViolationsAreToldApart) {
    ASSERT_TRUE(database_->run("INSERT INTO t (id) VALUES ($1)", {"x"}));
    const auto twice = database_->run("INSERT INTO t (id) VALUES ($1)", {"x"});
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code(), Errc::conflict);
    EXPECT_EQ(twice.error().facts().at("constraint"), "t.id");
    EXPECT_EQ(database_->run("INSERT INTO child (t_id) VALUES ($1)", {"y"}).error().code(), Errc::conflict);
    EXPECT_EQ(database_->run("INSERT INTO child (t_id) VALUES (NULL)").error().code(), Errc::invalid);
    EXPECT_EQ(database_->run("INSERT INTO t (id, n) VALUES ('z', 'word')").error().code(), Errc::invalid);
}

TEST_F(SqliteDatabase, RunCountsTheRowsItChanged) {
    EXPECT_EQ(*database_->run("INSERT INTO t (id) VALUES ('a'), ('b')"), 2);
    EXPECT_EQ(*database_->run("UPDATE t SET n = 1 WHERE id = $1", {"c"}), 0);
    EXPECT_EQ(*database_->run("DELETE FROM t"), 2);
}

TEST_F(SqliteDatabase, TheSameTextMayBeInUseTwiceAtOnce) {
    ASSERT_TRUE(database_->run("INSERT INTO t (id) VALUES ('a'), ('b')"));
    auto outer = database_->query("SELECT id FROM t ORDER BY id");
    ASSERT_TRUE(outer && *outer->step());
    {
        auto inner = database_->query("SELECT id FROM t ORDER BY id");
        ASSERT_TRUE(inner && *inner->step());
        EXPECT_EQ(inner->text(0), "a");
    }
    ASSERT_TRUE(*outer->step());
    EXPECT_EQ(outer->text(0), "b");
}

TEST_F(SqliteDatabase, ManyDifferentTextsStayCorrect) {
    for (int i = 0; i < 600; ++i) {
        auto row = database_->query("SELECT $1 + " + std::to_string(i), {1});
        ASSERT_TRUE(row && *row->step());
        ASSERT_EQ(row->integer(0), i + 1);
    }
}

TEST_F(SqliteDatabase, ATransactionRollsBackUnlessCommitted) {
    {
        auto transaction = Transaction::begin(*database_);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(database_->run("INSERT INTO t (id) VALUES ('a')"));
        EXPECT_EQ(Transaction::begin(*database_).error().code(), Errc::invalid);
    }
    EXPECT_EQ(count(), 0);
    auto transaction = Transaction::begin(*database_);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database_->run("INSERT INTO t (id) VALUES ('a')"));
    ASSERT_TRUE(transaction->commit());
    EXPECT_EQ(count(), 1);
    EXPECT_FALSE(transaction->commit());
}

TEST_F(SqliteDatabase, ALockHeldElsewhereIsUnavailableAfterTheTimeout) {
    auto other = Database::open(path_, {.busy_timeout_ms = 10});
    ASSERT_TRUE(other);
    auto transaction = Transaction::begin(*database_);
    ASSERT_TRUE(transaction);
    EXPECT_EQ(Transaction::begin(*other).error().code(), Errc::unavailable);
    auto reading = other->query("SELECT count(*) FROM t");
    ASSERT_TRUE(reading && reading->step());
}

TEST_F(SqliteDatabase, TheFileIsPrivateAndDurable) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
        struct stat info {};
        ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
        EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
    }
    auto synchronous = database_->query("PRAGMA synchronous");
    ASSERT_TRUE(synchronous && *synchronous->step());
    EXPECT_EQ(synchronous->integer(0), 2);
}

TEST_F(SqliteDatabase, AnAbsentFileIsNotMadeWhenNotAsked) {
    EXPECT_EQ(Database::open(dir_.path() + "/none.db", {.create = false}).error().code(), Errc::not_found);
}

TEST_F(SqliteDatabase, DamageIsFound) {
    EXPECT_TRUE(database_->check_integrity());
    database_.reset();
    std::ofstream(path_, std::ios::trunc) << std::string(8192, 'x');
    EXPECT_EQ(Database::open(path_).error().code(), Errc::corrupted);
}

TEST_F(SqliteDatabase, ADanglingReferenceIsFound) {
    ASSERT_TRUE(database_->run_script("PRAGMA foreign_keys = OFF; INSERT INTO child (t_id) VALUES ('nobody')"));
    EXPECT_EQ(database_->check_integrity().error().code(), Errc::corrupted);
}

}  // namespace
}  // namespace backstay::sqlite
