#include "control-plane/store/database_threads.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
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
    // What was posted already.
    void run_rest() {
        std::deque<std::function<void()>> rest;
        {
            const std::lock_guard lock(mutex_);
            rest.swap(tasks_);
        }
        for (const auto& task : rest) task();
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

// Works of one organization's agents, which begin when all of them are in the line.
class DatabaseThreadsMembersTest : public DatabaseThreadsTest {
protected:
    void begin(std::size_t members_at_once = 32) {
        others_.emplace(open_store(path_).value());
        threads_ = DatabaseThreads::start(path_, inbox_.post(), 2000, {members_at_once, 60'000}).value();
        ASSERT_TRUE(threads_->submit(Lane::write, gate_.work(), line_));
        while (threads_->busy(Lane::write) == 0) std::this_thread::yield();
    }
    // Makes an organization of this name, in a transaction of its own.
    DatabaseThreads::Member member(const std::string& name) {
        return [this, name](sql::Database& db) -> DatabaseThreads::Told {
            ran_ += name;
            const auto made = [&]() -> Result<> {
                auto transaction = TRY(sql::Transaction::begin(db, organization_));
                TRY(Organizations(db).create(name, "O", 1));
                return transaction.commit();
            }();
            seen_ += std::to_string(stored());
            return [this, name, good = made.has_value()](const Result<>& stored) {
                told_ += name + (good && stored ? "+" : "-");
                if (!stored) why_ = stored.error().code();
            };
        };
    }
    void submit(const std::string& names) {
        for (const char name : names) ASSERT_TRUE(threads_->submit_member(member(std::string(1, name)), line_));
    }
    // What the last of them is told is posted as well.
    void run_all() {
        gate_.open();
        threads_->stop();
        inbox_.run_rest();
    }
    std::size_t stored() { return Organizations(*others_).list().value().size(); }

    const std::string organization_ = new_uuid();
    const std::string line_ = organization_ + kAgentsLine;
    Gate gate_;
    std::optional<sql::Database> others_;
    std::string ran_;   // in their order
    std::string told_;  // "a+": a was stored
    std::string seen_;  // how many others saw behind each
    std::optional<Errc> why_;
    std::unique_ptr<DatabaseThreads> threads_;
};

TEST_F(DatabaseThreadsMembersTest, AreStoredTogetherAndToldThen) {
    begin();
    submit("abcd");
    run_all();
    EXPECT_EQ(ran_, "abcd");
    EXPECT_EQ(told_, "a+b+c+d+");
    EXPECT_EQ(seen_, "0000") << "by one commit";
    EXPECT_EQ(stored(), 4U);
}

TEST_F(DatabaseThreadsMembersTest, AreStoredAtOnceWhenTheyAreAlone) {
    begin();
    submit("a");
    run_all();
    EXPECT_EQ(told_, "a+");
    EXPECT_EQ(seen_, "1");
}

TEST_F(DatabaseThreadsMembersTest, FailAlone) {
    begin();
    submit("abac");
    run_all();
    EXPECT_EQ(told_, "a+b+a-c+");
    EXPECT_EQ(stored(), 3U);
}

TEST_F(DatabaseThreadsMembersTest, KeepTheirOrderAmongOtherWorksOfTheLine) {
    begin();
    submit("ab");
    ASSERT_TRUE(threads_->submit(
        Lane::write,
        [this](sql::Database& db) {
            EXPECT_FALSE(db.in_transaction());
            ran_ += "-";
            return DatabaseThreads::Done();
        },
        line_));
    submit("cd");
    run_all();
    EXPECT_EQ(ran_, "ab-cd");
    EXPECT_EQ(seen_, "0022");
    EXPECT_EQ(told_, "a+b+c+d+");
}

TEST_F(DatabaseThreadsMembersTest, LeaveTheirTurnToOthersAfterSoMany) {
    begin(3);
    submit("abcde");
    const auto of_people = [this](sql::Database&) {
        ran_ += "-";
        return DatabaseThreads::Done();
    };
    ASSERT_TRUE(threads_->submit(Lane::write, of_people, organization_));
    run_all();
    EXPECT_EQ(ran_, "abc-de");
    EXPECT_EQ(seen_, "00033");
    EXPECT_EQ(told_, "a+b+c+d+e+");
}

TEST_F(DatabaseThreadsMembersTest, AreAllToldThatTheyWereNotStored) {
    begin();
    submit("ab");
    const auto losing = [](sql::Database& db) -> DatabaseThreads::Told {
        EXPECT_TRUE(db.run_script("ROLLBACK"));
        return [](const Result<>&) {};
    };
    ASSERT_TRUE(threads_->submit_member(losing, line_));
    submit("c");
    run_all();
    EXPECT_EQ(ran_, "abc");
    EXPECT_EQ(told_, "a-b-c-");
    EXPECT_EQ(why_, Errc::unavailable);
    EXPECT_EQ(stored(), 0U);
}

TEST_F(DatabaseThreadsTest, NeedAStoreThatWasPrepared) {
    const auto started = DatabaseThreads::start(folder_.path() + "/absent.db", inbox_.post());
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), Errc::not_found);
}

}  // namespace
}  // namespace backstay::store
