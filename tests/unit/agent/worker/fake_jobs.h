// Stands in for agent/jobs: job functions that testify, wait and fail as a test tells them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "common/result.h"

namespace backstay {

class FakeJobs {
public:
    static FakeJobs& instance();
    void reset();

    // Backups of this database stay in their step until they are released or stopped.
    void hold(const std::string& database);
    void release(const std::string& database);
    bool wait_until_held(const std::string& database);
    void fail_with(std::optional<Error> error);

    // Called by the job functions.
    Result<> pass(const std::string& database, const std::stop_token& stop);
    std::atomic<int> most_at_once = 0;
    std::atomic<int> sweeps = 0;
    std::atomic<bool> sweep_fails = false;
    std::atomic<bool> live_is_good = true;
    std::atomic<std::size_t> destinations_known = 0;
    std::atomic<std::int64_t> keep_until = INT64_MAX;
    std::atomic<int> drops = 0;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> held_;
    std::set<std::string> inside_;
    std::optional<Error> error_;
    int running_ = 0;
};

}  // namespace backstay
