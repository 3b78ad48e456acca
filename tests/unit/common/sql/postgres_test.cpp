// What a store on PostgreSQL does when its server goes away and comes back.
#include <gtest/gtest.h>

#include <thread>

#include "common/sql/transaction.h"
#include "tests/support/private_postgres.h"

namespace backstay::sql {
namespace {

class PostgresStore : public ::testing::Test {
protected:
    std::string url() const { return "postgresql://postgres@:" + server_.port() + "/postgres?host=" + server_.host(); }
    // Waits until a question is answered again.
    static bool comes_back(Database& db) {
        for (int i = 0; i < 200; ++i) {
            if (db.query("SELECT 1")) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        return false;
    }
    testing::PrivatePostgres server_;
};

TEST_F(PostgresStore, IsUsedAgainWhenItsServerIsBack) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.run_script("CREATE TABLE kept (name TEXT)"));
    ASSERT_TRUE(db.run("INSERT INTO kept VALUES ($1)", {"a"}));
    server_.stop();
    EXPECT_EQ(db.run("INSERT INTO kept VALUES ($1)", {"b"}).error().code(), Errc::unavailable);
    EXPECT_EQ(Transaction::begin(db).error().code(), Errc::unavailable);
    server_.start();
    ASSERT_TRUE(comes_back(db));
    const auto put = db.run("INSERT INTO kept VALUES ($1)", {"c"});
    EXPECT_TRUE(put) << "what was prepared before is prepared anew: " << put.error().message();
}

TEST_F(PostgresStore, ThatWasRestartedIsNotNoticed) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.query("SELECT 1"));
    server_.stop();
    server_.start();
    const auto asked = db.query("SELECT 1");
    EXPECT_TRUE(asked) << "the farewell is read before the question is sent: " << asked.error().message();
}

TEST_F(PostgresStore, LosesATransactionWithItsConnection) {
    Database db = Database::open(url()).value();
    ASSERT_TRUE(db.run_script("CREATE TABLE kept (name TEXT)"));
    {
        auto transaction = Transaction::begin(db).value();
        ASSERT_TRUE(db.run("INSERT INTO kept VALUES ('a')"));
        server_.stop();
        server_.start();
        EXPECT_FALSE(db.run("INSERT INTO kept VALUES ('b')")) << "it must not go on over another connection";
        EXPECT_FALSE(transaction.commit());
    }
    ASSERT_TRUE(comes_back(db));
    auto rows = db.query("SELECT COUNT(*) FROM kept");
    ASSERT_TRUE(rows && rows->step());
    EXPECT_EQ(rows->integer(0), 0);
}

TEST_F(PostgresStore, LosesItsDutyWithItsConnection) {
    Database db = Database::open(url()).value();
    Database other = Database::open(url()).value();
    ASSERT_TRUE(db.hold("upkeep").value());
    ASSERT_TRUE(
        other.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                  "backend_type = 'client backend'"));
    bool taken = false;
    for (int i = 0; i < 200 && !taken; ++i) {
        taken = other.hold("upkeep").value();
        if (!taken) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(taken);
    const auto still = db.hold("upkeep");
    EXPECT_FALSE(still && *still) << "it must not think that it still has it";
}

TEST_F(PostgresStore, LetsOrganizationsWriteSideBySide) {
    Database db = Database::open(url()).value();
    Database other = Database::open(url()).value();
    ASSERT_TRUE(other.run_script("SET lock_timeout = 200"));
    auto transaction = Transaction::begin(db, "acme").value();
    EXPECT_TRUE(Transaction::begin(other, "another"));
    EXPECT_EQ(Transaction::begin(other, "acme").error().code(), Errc::unavailable);
    EXPECT_EQ(Transaction::begin(other).error().code(), Errc::unavailable) << "the whole waits for each of them";
    EXPECT_FALSE(other.in_transaction());
    ASSERT_TRUE(transaction.commit());
    EXPECT_TRUE(Transaction::begin(other));
}

TEST_F(PostgresStore, RefusesATextThatItWouldCut) {
    Database db = Database::open(url()).value();
    EXPECT_EQ(db.query("SELECT $1", {std::string_view("a\0b", 3)}).error().code(), Errc::invalid);
}

}  // namespace
}  // namespace backstay::sql
