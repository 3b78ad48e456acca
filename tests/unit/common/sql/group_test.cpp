// Several transactions by one commit: this file runs on SQLite and on PostgreSQL.
#include "common/sql/group.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/sql/transaction.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::sql {
namespace {

const std::string kAcme = "acme";

class GroupTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(db_.run_script("CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)"));
        ASSERT_TRUE(db_.run("INSERT INTO counters VALUES ('a', 0), ('b', 0)"));
    }
    Database opened() const { return Database::open(store_).value(); }
    static std::int64_t value_in(Database& db, const std::string& name) {
        auto rows = db.query("SELECT value FROM counters WHERE name = $1", {name});
        EXPECT_TRUE(rows && rows->step());
        return rows->integer(0);
    }
    // As others see it.
    std::int64_t stored(const std::string& name) {
        Database other = opened();
        return value_in(other, name);
    }
    static Result<> add_one(Database& db, const std::string& name) {
        auto member = TRY(Transaction::begin(db, kAcme));
        TRY(db.run("UPDATE counters SET value = $2 WHERE name = $1", {name, value_in(db, name) + 1}));
        return member.commit();
    }
    // Ends the open transaction as the store itself does at times.
    void lose_transaction() {
        if (testing::on_postgres()) {
            auto pid = db_.query("SELECT pg_backend_pid()").value();
            ASSERT_TRUE(pid.step());
            Database other = opened();
            ASSERT_TRUE(other.query("SELECT pg_terminate_backend(CAST($1 AS INTEGER))", {pid.integer(0)}));
        } else {
            ASSERT_TRUE(db_.run_script("ROLLBACK"));
        }
    }

    testing::TempDir folder_;
    const std::string store_ = testing::test_store(folder_.path());
    Database db_ = opened();
};

TEST_F(GroupTest, StoresWhatItsMembersCommittedAtOnce) {
    auto group = Group::begin(db_, kAcme).value();
    ASSERT_TRUE(add_one(db_, "a"));
    ASSERT_TRUE(add_one(db_, "a"));
    ASSERT_TRUE(add_one(db_, "b"));
    EXPECT_EQ(stored("a"), 0) << "nobody sees it before";
    ASSERT_TRUE(group.commit());
    EXPECT_EQ(stored("a"), 2);
    EXPECT_EQ(stored("b"), 1);
    EXPECT_EQ(group.commit().error().code(), Errc::invalid);
    ASSERT_TRUE(add_one(db_, "a")) << "alone again";
    EXPECT_EQ(stored("a"), 3);
}

TEST_F(GroupTest, UndoesAMemberAlone) {
    auto group = Group::begin(db_, kAcme).value();
    ASSERT_TRUE(add_one(db_, "a"));
    {
        auto failing = Transaction::begin(db_, kAcme).value();
        ASSERT_TRUE(db_.run("UPDATE counters SET value = 9 WHERE name = 'b'"));
        EXPECT_EQ(db_.run("INSERT INTO counters VALUES ('a', 3)").error().code(), Errc::conflict);
    }
    ASSERT_TRUE(add_one(db_, "a"));
    ASSERT_TRUE(apart(db_, [&] { return Result<>(); })) << "outside of members too";
    ASSERT_TRUE(group.commit());
    EXPECT_EQ(stored("a"), 2);
    EXPECT_EQ(stored("b"), 0);
}

TEST_F(GroupTest, UndoesAMemberThatCommitsAfterAFailure) {
    if (!testing::on_postgres()) return;  // SQLite undoes the failed statement alone
    auto group = Group::begin(db_, kAcme).value();
    auto failed = Transaction::begin(db_, kAcme).value();
    ASSERT_TRUE(db_.run("UPDATE counters SET value = 9 WHERE name = 'b'"));
    EXPECT_FALSE(db_.run("INSERT INTO counters VALUES ('a', 3)"));
    EXPECT_EQ(failed.commit().error().code(), Errc::conflict);
    ASSERT_TRUE(add_one(db_, "a"));
    ASSERT_TRUE(group.commit());
    EXPECT_EQ(stored("a"), 1);
    EXPECT_EQ(stored("b"), 0);
}

TEST_F(GroupTest, TakesPartsOfMembers) {
    auto group = Group::begin(db_, kAcme).value();
    {
        auto member = Transaction::begin(db_, kAcme).value();
        ASSERT_TRUE(db_.run("UPDATE counters SET value = 1 WHERE name = 'a'"));
        EXPECT_FALSE(apart(db_, [&]() -> Result<> {
            TRY(db_.run("UPDATE counters SET value = 9 WHERE name = 'b'"));
            TRY(db_.run("INSERT INTO counters VALUES ('a', 3)"));
            return {};
        }));
        ASSERT_TRUE(member.commit());
    }
    ASSERT_TRUE(group.commit());
    EXPECT_EQ(stored("a"), 1);
    EXPECT_EQ(stored("b"), 0);
}

TEST_F(GroupTest, LeavesNothingUnlessItIsCommitted) {
    {
        const auto group = Group::begin(db_, kAcme).value();
        ASSERT_TRUE(add_one(db_, "a"));
    }
    EXPECT_FALSE(db_.in_transaction());
    EXPECT_EQ(stored("a"), 0);
    auto group = Group::begin(db_, kAcme).value();
    const auto open = Transaction::begin(db_, kAcme).value();
    EXPECT_EQ(group.commit().error().code(), Errc::invalid) << "one of its members goes on";
    EXPECT_FALSE(db_.in_transaction());
}

TEST_F(GroupTest, IsOfOneOrganization) {
    auto group = Group::begin(db_, kAcme).value();
    EXPECT_EQ(Transaction::begin(db_, "other").error().code(), Errc::unavailable);
    EXPECT_EQ(Transaction::begin(db_).error().code(), Errc::unavailable);
    EXPECT_EQ(Group::begin(db_, kAcme).error().code(), Errc::invalid);
    {
        const auto member = Transaction::begin(db_, kAcme).value();
        EXPECT_EQ(Transaction::begin(db_, kAcme).error().code(), Errc::invalid);
    }
    ASSERT_TRUE(add_one(db_, "a"));
    ASSERT_TRUE(group.commit());
    EXPECT_EQ(stored("a"), 1);
    EXPECT_TRUE(Transaction::begin(db_, "other"));
}

// Nothing may be written statement by statement once the store ended it.
TEST_F(GroupTest, ThatTheStoreEndedStoresNothing) {
    {
        auto group = Group::begin(db_, kAcme).value();
        ASSERT_TRUE(add_one(db_, "a"));
        {
            auto member = Transaction::begin(db_, kAcme).value();
            lose_transaction();
            if (testing::on_postgres()) {
                EXPECT_EQ(db_.run("UPDATE counters SET value = 9").error().code(), Errc::unavailable);
            } else {
                EXPECT_EQ(member.commit().error().code(), Errc::unavailable);
            }
        }
        EXPECT_EQ(Transaction::begin(db_, kAcme).error().code(), Errc::unavailable);
        EXPECT_EQ(add_one(db_, "b").error().code(), Errc::unavailable);
        EXPECT_EQ(group.commit().error().code(), Errc::unavailable);
    }
    EXPECT_FALSE(db_.in_transaction());
    EXPECT_EQ(stored("a"), 0);
    EXPECT_EQ(stored("b"), 0);
    ASSERT_TRUE(add_one(db_, "a")) << "what comes after it";
    EXPECT_EQ(stored("a"), 1);
}

TEST_F(GroupTest, ThatCouldNotBeginTellsEachMemberAtOnce) {
    {
        auto group = Group::lost(db_, kAcme, Error(Errc::timed_out, "somebody else writes"));
        EXPECT_EQ(add_one(db_, "a").error().code(), Errc::unavailable);
        EXPECT_EQ(add_one(db_, "b").error().code(), Errc::unavailable);
        const auto stored = group.commit();
        EXPECT_EQ(stored.error().code(), Errc::unavailable);
        EXPECT_NE(stored.error().message().find("somebody else writes"), std::string::npos);
    }
    ASSERT_TRUE(add_one(db_, "a")) << "what comes after it";
    EXPECT_EQ(stored("a"), 1);
}

TEST_F(GroupTest, StaysEndedThoughAnotherTransactionIsOpen) {
    if (testing::on_postgres()) return;  // there the connection is gone
    auto group = Group::begin(db_, kAcme).value();
    ASSERT_TRUE(add_one(db_, "a"));
    {
        const auto member = Transaction::begin(db_, kAcme).value();
        lose_transaction();
    }
    ASSERT_TRUE(db_.run_script("SAVEPOINT part"));  // begins one of its own
    EXPECT_EQ(add_one(db_, "b").error().code(), Errc::unavailable);
    EXPECT_EQ(group.commit().error().code(), Errc::unavailable);
    EXPECT_FALSE(db_.in_transaction());
}

TEST_F(GroupTest, IsAloneAmongTheWritersOfItsOrganization) {
    constexpr int kTimes = 30;
    {
        const std::jthread groups([&] {
            Database db = opened();
            for (int i = 0; i < kTimes; ++i) {
                auto group = Group::begin(db, kAcme).value();
                EXPECT_TRUE(add_one(db, "a"));
                EXPECT_TRUE(add_one(db, "a"));
                EXPECT_TRUE(group.commit());
            }
        });
        const std::jthread alone([&] {
            Database db = opened();
            for (int i = 0; i < kTimes; ++i) EXPECT_TRUE(add_one(db, "a"));
        });
    }
    EXPECT_EQ(stored("a"), 3 * kTimes);
}

}  // namespace
}  // namespace backstay::sql
