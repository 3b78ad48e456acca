#include "control-plane/serve/shared_limits.h"

#include "control-plane/store/rows.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/control-plane/replicas/postgres_store.h"

namespace backstay::serve {
namespace {

using store::DatabaseThreads;

class SharedLimitsOnPostgres : public testing::PostgresStore {
protected:
    static std::int64_t told(sql::Database& db) {
        return store::count_of(db.query("SELECT COUNT(*) FROM request_windows")).value();
    }

    FakeClock clock_;
    sql::Database db_ = store::open_store(url()).value();
    std::unique_ptr<Loop> loop_ = Loop::create().value();
};

TEST_F(SharedLimitsOnPostgres, LetOthersSpeakBetweenTheirKeys) {
    constexpr std::int64_t kKeys = 1'000;
    auto threads = DatabaseThreads::start(url(), [this](auto task) { loop_->post(std::move(task)); }).value();
    // Each take is a message of its own.
    auth::RateLimiter reads(20);
    SharedLimits shared(*loop_, *threads, clock_, {{"reads", reads}});
    for (int i = 0; i < kKeys; ++i) reads.take(std::to_string(i), steady_ms());
    shared.taken();
    std::int64_t told_before = 0;
    ASSERT_TRUE(threads->submit(DatabaseThreads::Lane::exchange, [&told_before](sql::Database& db) {
        told_before = told(db);
        return DatabaseThreads::Done();
    }));
    const std::int64_t until = steady_ms() + 20'000;
    const Timer look(*loop_, 10, 10, [&] {
        if (told(db_) == kKeys || steady_ms() > until) loop_->stop();
    });
    loop_->run();
    EXPECT_EQ(told(db_), kKeys);
    EXPECT_GT(told_before, 0);
    EXPECT_LT(told_before, kKeys);
    threads->stop();
}

}  // namespace
}  // namespace backstay::serve
