#include "control-plane/store/database_threads.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "common/ids.h"
#include "control-plane/store/fair_queue.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/store.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_store.h"

namespace backstay::store {
namespace {

using Lane = DatabaseThreads::Lane;

// Takes what the threads post and runs it in the test's own thread, as a loop would.
class Inbox {
public:
    DatabaseThreads::Post post() {
        return [this](std::function<void()> task) {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
            arrived_.notify_one();
        };
    }
    bool run_one() {
        std::function<void()> task;
        {
            std::unique_lock lock(mutex_);
            if (!arrived_.wait_for(lock, std::chrono::seconds(20), [this] { return !tasks_.empty(); })) return false;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        task();
        return true;
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::function<void()>> tasks_;
};

class DatabaseThreadsTest : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(prepare_store(path_)); }
    testing::TempDir folder_;
    std::string path_ = testing::test_store(folder_.path());
    Inbox inbox_;
};

TEST_F(DatabaseThreadsTest, WriteInOrderAndReadWhatWasWritten) {
    auto threads = DatabaseThreads::start(path_, inbox_.post()).value();
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(threads->submit(Lane::write, [&order, i](sql::Database& db) -> DatabaseThreads::Done {
            const auto made = Organizations(db).create("org" + std::to_string(i), "O", 1);
            return [&order, i, good = made.has_value()] {
                if (good) order.push_back(i);
            };
        }));
    }
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(inbox_.run_one());
    // On PostgreSQL several write side by side.
    EXPECT_TRUE(testing::on_postgres() || std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(order.size(), 20U);
    std::size_t seen = 0;
    ASSERT_TRUE(threads->submit(Lane::read, [&seen](sql::Database& db) -> DatabaseThreads::Done {
        const auto all = Organizations(db).list();
        return [&seen, count = all.value().size()] { seen = count; };
    }));
    ASSERT_TRUE(inbox_.run_one());
    EXPECT_EQ(seen, 20U);
}

TEST_F(DatabaseThreadsTest, RunResultsWhereTheyArePosted) {
    auto threads = DatabaseThreads::start(path_, inbox_.post()).value();
    std::thread::id worked;
    std::thread::id finished;
    ASSERT_TRUE(threads->submit(Lane::slow, [&](sql::Database&) -> DatabaseThreads::Done {
        worked = std::this_thread::get_id();
        return [&] { finished = std::this_thread::get_id(); };
    }));
    ASSERT_TRUE(inbox_.run_one());
    EXPECT_NE(worked, std::this_thread::get_id());
    EXPECT_EQ(finished, std::this_thread::get_id());
}

TEST_F(DatabaseThreadsTest, RefuseMoreThanTheQueueHolds) {
    auto threads = DatabaseThreads::start(path_, inbox_.post(), 2).value();
    std::mutex gate;
    std::unique_lock closed(gate);
    std::mutex begun_mutex;
    std::condition_variable begun;
    bool busy = false;
    ASSERT_TRUE(threads->submit(Lane::upkeep, [&](sql::Database&) -> DatabaseThreads::Done {
        {
            const std::lock_guard lock(begun_mutex);
            busy = true;
            begun.notify_one();
        }
        const std::lock_guard wait(gate);
        return {};
    }));
    {
        std::unique_lock lock(begun_mutex);
        ASSERT_TRUE(begun.wait_for(lock, std::chrono::seconds(20), [&] { return busy; }));
    }
    const auto nothing = [](sql::Database&) { return DatabaseThreads::Done(); };
    EXPECT_TRUE(threads->submit(Lane::upkeep, nothing));
    EXPECT_TRUE(threads->submit(Lane::upkeep, nothing));
    EXPECT_FALSE(threads->submit(Lane::upkeep, nothing));
    EXPECT_EQ(threads->queued(Lane::upkeep), 2U);
    EXPECT_TRUE(threads->submit(Lane::read, nothing));
    closed.unlock();
    threads->stop();
    EXPECT_FALSE(threads->submit(Lane::upkeep, nothing));
    EXPECT_EQ(threads->queued(Lane::upkeep), 0U);
}

// Works that end when the gate opens, and count how many of them are at work.
class Gate {
public:
    DatabaseThreads::Work work() {
        return [this](sql::Database&) {
            std::unique_lock lock(mutex_);
            most_ = std::max(most_, ++inside_);
            opened_.wait_for(lock, std::chrono::seconds(20), [this] { return open_; });
            --inside_;
            ++done_;
            return DatabaseThreads::Done();
        };
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        opened_.notify_all();
    }
    int most() const {
        const std::lock_guard lock(mutex_);
        return most_;
    }
    int done() const {
        const std::lock_guard lock(mutex_);
        return done_;
    }

private:
    mutable std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = false;
    int inside_ = 0;
    int most_ = 0;
    int done_ = 0;
};

TEST_F(DatabaseThreadsTest, LetAnOrganizationWriteWhileAnotherHasManyLongWorks) {
    auto threads = DatabaseThreads::start(path_, inbox_.post()).value();
    const std::string noisy = new_uuid();
    Gate gate;
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(threads->submit(Lane::write, gate.work(), noisy));
        ASSERT_TRUE(threads->submit(Lane::write, gate.work(), noisy + kAgentsLine));
    }
    // SQLite has one writing thread.
    if (!testing::on_postgres()) gate.open();
    for (const std::string& quiet : {new_uuid(), new_uuid() + kAgentsLine, std::string()}) {
        bool served = false;
        ASSERT_TRUE(threads->submit(
            Lane::write, [&served](sql::Database&) { return [&served] { served = true; }; }, quiet));
        EXPECT_TRUE(inbox_.run_one()) << quiet;
        EXPECT_TRUE(served) << quiet;
    }
    gate.open();
    threads->stop();
    EXPECT_EQ(gate.most(), 1);
    EXPECT_EQ(gate.done(), 20);
}

TEST_F(DatabaseThreadsTest, ReadForOneOrganizationSideBySide) {
    auto threads = DatabaseThreads::start(path_, inbox_.post()).value();
    const std::string organization = new_uuid();
    Gate gate;
    ASSERT_TRUE(threads->submit(Lane::read, gate.work(), organization));
    const auto open = [&gate](sql::Database&) {
        gate.open();
        return DatabaseThreads::Done([] {});
    };
    ASSERT_TRUE(threads->submit(Lane::read, open, organization));
    EXPECT_TRUE(inbox_.run_one());
}

TEST_F(DatabaseThreadsTest, NeedAStoreThatWasPrepared) {
    const auto started = DatabaseThreads::start(folder_.path() + "/absent.db", inbox_.post());
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), Errc::not_found);
}

}  // namespace
}  // namespace backstay::store
