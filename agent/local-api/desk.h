// Answers requests that must block (SQLite, PostgreSQL, destinations) on a thread of its own, one after the other, so
// that the loop never waits. Used on the loop thread; destroyed when the loop runs no more, for answers may be on their
// way to it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "common/event/loop.h"
#include "common/http/server.h"
#include "common/sqlite/database.h"

namespace backstay::local_api {

class Desk {
public:
    // Runs on the desk's thread, with its own connection to the state.
    using Work = std::function<http::Response(sqlite::Database& database, const http::Request& request)>;
    using Task = std::function<void(sqlite::Database& database)>;

    Desk(Loop& loop, std::string state_dir);
    ~Desk();
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;

    // At most 64 wait; more are answered 503.
    void serve(std::unique_ptr<http::Exchange> exchange, Work work);
    // Runs it without an exchange; dropped when the desk ends first. Any thread that ends before the desk.
    void run(Task task);
    // Ends a long wait of the work in progress: the desk is going.
    std::stop_token stop_token() const { return stop_.get_token(); }

private:
    void work();
    void put(Task task);

    Loop& loop_;
    std::string state_dir_;
    std::stop_source stop_;
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, std::unique_ptr<http::Exchange>> waiting_;  // loop thread
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Task> tasks_;
    bool quit_ = false;
    std::thread thread_;
};

}  // namespace backstay::local_api
