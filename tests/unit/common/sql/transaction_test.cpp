// Writers one after the other: this file runs on SQLite and on PostgreSQL.
#include "common/sql/transaction.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::sql {
namespace {

class TransactionTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(db_.run_script("CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)"));
        ASSERT_TRUE(db_.run("INSERT INTO counters VALUES ('a', 0), ('b', 0)"));
    }
    Database opened() const { return Database::open(store_).value(); }
    std::int64_t value(const std::string& name) {
        auto rows = db_.query("SELECT value FROM counters WHERE name = $1", {name});
        EXPECT_TRUE(rows && rows->step());
        return rows->integer(0);
    }
    // Reads and writes what it read plus one: lost when another does so in between.
    static Result<> count_up(Database& db, const std::string& name, const std::string& organization) {
        auto transaction = TRY(Transaction::begin(db, organization));
        auto rows = TRY(db.query("SELECT value FROM counters WHERE name = $1", {name}));
        TRY(rows.step());
        TRY(db.run("UPDATE counters SET value = $2 WHERE name = $1", {name, rows.integer(0) + 1}));
        return transaction.commit();
    }

    testing::TempDir folder_;
    const std::string store_ = testing::test_store(folder_.path());
    Database db_ = opened();
};

TEST_F(TransactionTest, LeavesNothingUnlessItIsCommitted) {
    {
        auto transaction = Transaction::begin(db_).value();
        ASSERT_TRUE(db_.run("UPDATE counters SET value = 5"));
        EXPECT_TRUE(db_.in_transaction());
    }
    EXPECT_FALSE(db_.in_transaction());
    EXPECT_EQ(value("a"), 0);
    auto transaction = Transaction::begin(db_).value();
    EXPECT_EQ(Transaction::begin(db_).error().code(), Errc::invalid);
    ASSERT_TRUE(db_.run("UPDATE counters SET value = 5"));
    ASSERT_TRUE(transaction.commit());
    EXPECT_FALSE(transaction.commit());
    EXPECT_EQ(value("a"), 5);
}

TEST_F(TransactionTest, UndoesAPartAlone) {
    auto transaction = Transaction::begin(db_).value();
    ASSERT_TRUE(apart(db_, [&]() -> Result<> {
        TRY(db_.run("UPDATE counters SET value = 1 WHERE name = 'a'"));
        return {};
    }));
    const auto failed = apart(db_, [&]() -> Result<> {
        TRY(db_.run("UPDATE counters SET value = 1 WHERE name = 'b'"));
        TRY(db_.run("INSERT INTO counters VALUES ('a', 3)"));
        return {};
    });
    EXPECT_EQ(failed.error().code(), Errc::conflict);
    ASSERT_TRUE(transaction.commit());
    EXPECT_EQ(value("a"), 1);
    EXPECT_EQ(value("b"), 0);
}

// SQLite ends the whole transaction then: nothing may go on outside of it.
TEST_F(TransactionTest, ThatTheStoreEndsIsUnavailable) {
    if (db_.dialect() == Dialect::postgres) return;  // where a full disk ends the statement only
    ASSERT_TRUE(db_.run_script("PRAGMA cache_size = 1; PRAGMA max_page_count = 40"));
    auto transaction = Transaction::begin(db_).value();
    const auto failed = apart(db_, [&]() -> Result<> {
        for (int i = 0; i < 1000; ++i)
            TRY(db_.run("INSERT INTO counters VALUES ($1, 0)", {std::to_string(i) + std::string(2000, 'x')}));
        return {};
    });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), Errc::unavailable);
    EXPECT_FALSE(db_.in_transaction());
    EXPECT_EQ(transaction.commit().error().code(), Errc::unavailable);
}

TEST_F(TransactionTest, OfOneOrganizationFollowEachOther) {
    constexpr int kTimes = 40;
    const auto work = [&](const std::string& organization) {
        Database db = opened();
        for (int i = 0; i < kTimes; ++i) {
            const auto done = count_up(db, "a", organization);
            EXPECT_TRUE(done) << done.error().message();
        }
    };
    {
        // One of them says nothing of an organization: it waits for all.
        const std::jthread first(work, "acme");
        const std::jthread second(work, "acme");
        const std::jthread whole(work, "");
    }
    EXPECT_EQ(value("a"), 3 * kTimes);
}

TEST_F(TransactionTest, HoldsADutyAlone) {
    EXPECT_TRUE(db_.hold("upkeep").value());
    EXPECT_TRUE(db_.hold("upkeep").value()) << "it stays";
    if (!testing::on_postgres()) return;
    {
        Database other = opened();
        EXPECT_FALSE(other.hold("upkeep").value());
        EXPECT_TRUE(other.hold("something else").value());
    }
    std::optional<Database> next = opened();
    { const Database gone = std::move(db_); }
    bool taken = false;
    for (int i = 0; i < 200 && !taken; ++i) {
        taken = next->hold("upkeep").value();
        if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_TRUE(taken);
}

}  // namespace
}  // namespace backstay::sql
