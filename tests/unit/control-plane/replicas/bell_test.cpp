#include "control-plane/replicas/bell.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "tests/support/loop_thread.h"
#include "tests/unit/control-plane/replicas/postgres_store.h"

namespace backstay::replicas {
namespace {

// A replica that only listens and rings.
class Listener {
public:
    Listener(const std::string& url, const std::string& id)
        : threads_(store::DatabaseThreads::start(url, [this](std::function<void()> task) {
                       loop_.loop().post(std::move(task));
                   }).value()) {
        loop_.run([&] {
            bell_ =
                std::make_unique<Bell>(loop_.loop(), *threads_, url, id,
                                       Ears{[this](const dispatch::Stir& stir) { note([&] { heard_.merge(stir); }); },
                                            [this] { note([&] { ++missed_; }); }});
        });
    }
    ~Listener() {
        loop_.run([&] { bell_.reset(); });
        threads_->stop();
    }
    void ring(const dispatch::Stir& stir) {
        loop_.run([&] { bell_->ring(stir); });
    }
    bool hears(const std::string& operation) {
        return waits([&] { return heard_.operations.contains(operation); });
    }
    bool missed(int times, std::chrono::milliseconds most = std::chrono::seconds(10)) {
        return waits([&] { return missed_ >= times; }, most);
    }
    bool has_heard(const std::string& operation) {
        const std::lock_guard lock(mutex_);
        return heard_.operations.contains(operation);
    }

private:
    template <class Change>
    void note(Change change) {
        const std::lock_guard lock(mutex_);
        change();
        changed_.notify_all();
    }
    template <class Holds>
    bool waits(Holds holds, std::chrono::milliseconds most = std::chrono::seconds(10)) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, most, holds);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    dispatch::Stir heard_;
    int missed_ = 0;
    testing::LoopThread loop_;
    std::unique_ptr<store::DatabaseThreads> threads_;
    std::unique_ptr<Bell> bell_;
};

using BellOnPostgres = testing::PostgresStore;

TEST_F(BellOnPostgres, IsHeardByTheOthersAndNotByWhoRang) {
    Listener one(url(), "one");
    Listener other(url(), "other");
    ASSERT_TRUE(one.missed(1) && other.missed(1)) << "whoever begins to listen may have missed something";
    one.ring({{}, {"first"}});
    one.ring({{}, {"second"}});
    EXPECT_TRUE(other.hears("first"));
    EXPECT_TRUE(other.hears("second"));
    other.ring({{}, {"back"}});
    EXPECT_TRUE(one.hears("back"));
    EXPECT_FALSE(one.has_heard("first"));
}

TEST_F(BellOnPostgres, ListensAgainAfterTheServerWasAway) {
    Listener one(url(), "one");
    Listener other(url(), "other");
    ASSERT_TRUE(one.missed(1) && other.missed(1));
    postgres_->crash();
    one.ring({{}, {"lost"}});
    postgres_->start();
    ASSERT_TRUE(one.missed(2) && other.missed(2));
    // The ring that failed is not known by name any more: the next one says "everything". It may have gone out before
    // the other one listened again, which then knew that it had missed something.
    bool heard = false;
    for (int i = 0; i < 50 && !heard; ++i) {
        one.ring({{}, {"after"}});
        heard = other.missed(3, std::chrono::milliseconds(200)) || other.has_heard("after");
    }
    EXPECT_TRUE(heard);
}

}  // namespace
}  // namespace backstay::replicas
