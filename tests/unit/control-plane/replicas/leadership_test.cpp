#include "control-plane/replicas/leadership.h"

#include <gtest/gtest.h>

#include "common/sql/transaction.h"
#include "tests/unit/control-plane/replicas/postgres_store.h"

namespace backstay::replicas {
namespace {

constexpr TimeMs kNow = 1'800'000'000'000;

class LeadershipOnPostgres : public testing::PostgresStore {
protected:
    void SetUp() override { ASSERT_TRUE(one_db_.run("DELETE FROM upkeep")); }

    sql::Database one_db_ = store::open_store(url()).value();
    sql::Database other_db_ = store::open_store(url()).value();
    Leadership one_{"one"};
    Leadership other_{"other"};
};

TEST_F(LeadershipOnPostgres, IsOfOneReplicaUntilItsConnectionEnds) {
    const auto first = one_.hold(one_db_, kNow).value();
    ASSERT_TRUE(first);
    EXPECT_TRUE(first->after_nobody);
    ASSERT_TRUE(one_.note(one_db_, *first, kNow));
    EXPECT_FALSE(other_.hold(other_db_, kNow).value());

    cut(one_db_);
    const auto second = other_.hold(other_db_, kNow + 5'000).value();
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->after_nobody) << "the others served meanwhile";
    EXPECT_EQ(second->listening_since, kNow);
    // Whoever led goes on to believe so until it asks: it must not write.
    const auto written = sql::Transaction::begin(one_db_);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), Errc::unavailable);
    EXPECT_FALSE(one_.hold(one_db_, kNow + 5'000).value());
    EXPECT_TRUE(sql::Transaction::begin(one_db_));
}

TEST_F(LeadershipOnPostgres, BeginsAnewAfterNobodyLedForLong) {
    const auto first = one_.hold(one_db_, kNow).value();
    ASSERT_TRUE(one_.note(one_db_, *first, kNow));
    EXPECT_FALSE(one_.hold(one_db_, kNow + kNobodyMs)->value().after_nobody);
    const auto later = one_.hold(one_db_, kNow + kNobodyMs + 1)->value();
    EXPECT_TRUE(later.after_nobody);
    EXPECT_EQ(later.listening_since, kNow + kNobodyMs + 1);
    EXPECT_EQ(last_leader(one_db_).value(), "one");
}

TEST_F(LeadershipOnPostgres, EndsWithASessionThatIsSilentForTooLong) {
    sql::OpenOptions options;
    options.silence_most_ms = 300;
    auto standing = store::open_store(url(), options).value();
    ASSERT_TRUE(one_.hold(standing, kNow).value());
    const std::int64_t until = steady_ms() + 10'000;
    while (!other_.hold(other_db_, kNow).value() && steady_ms() < until) {
    }
    EXPECT_LT(steady_ms(), until);
}

TEST_F(LeadershipOnPostgres, DutiesAreLetGo) {
    ASSERT_TRUE(one_db_.hold("key").value());
    EXPECT_FALSE(other_db_.hold("key").value());
    ASSERT_TRUE(one_db_.let_go("key"));
    EXPECT_TRUE(other_db_.hold("key").value());
    cut(other_db_);
    ASSERT_TRUE(other_db_.let_go("key"));
    EXPECT_TRUE(other_db_.run("SELECT 1"));
}

}  // namespace
}  // namespace backstay::replicas
