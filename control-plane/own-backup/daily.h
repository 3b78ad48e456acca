// The control plane's own backup once a day, on a thread of its own: at the hour of the settings, or as soon as the
// server runs when that was missed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "common/clock.h"
#include "common/sql/database.h"
#include "control-plane/config/settings.h"

namespace backstay::own_backup {

// The last moment of that time of day (minutes after midnight, UTC) that is not after `now`.
TimeMs last_due(std::int64_t minute_of_day, TimeMs now);

// One look: makes a backup when the newest in the folder is older than the last due moment, and lets the oldest go
// after it. Files of the future do not count. Answers when the newest was made, 0 when there is none.
Result<TimeMs> look(const Settings& settings, TimeMs now, const std::stop_token& stop = {});

// Before a newer program brings an older database up to date, which has no way back: a backup of it as it is, into the
// folder of the settings. Nothing where there is no folder, no database, or nothing to do.
Result<> before_upgrade(const Settings& settings, TimeMs now);

class Daily {
public:
    // Before the first look, between two, and after a backup that failed.
    struct Pauses {
        std::chrono::milliseconds first = std::chrono::seconds(10);
        std::chrono::milliseconds look = std::chrono::minutes(1);
        std::chrono::milliseconds failed = std::chrono::hours(1);
    };

    // Both outlive it. Of several replicas one makes them, until its connection to the store ends.
    Daily(const Settings& settings, const Clock& clock) : Daily(settings, clock, Pauses()) {}
    Daily(const Settings& settings, const Clock& clock, const Pauses& pauses);
    ~Daily();
    Daily(const Daily&) = delete;
    Daily& operator=(const Daily&) = delete;

    // Of the newest backup, 0: none. Any thread.
    TimeMs newest() const { return newest_; }

private:
    void run(const std::stop_token& stop);
    Result<bool> is_mine();

    const Settings& settings_;
    const Clock& clock_;
    const Pauses pauses_;
    std::optional<sql::Database> duty_;  // whose connection holds it
    std::atomic<TimeMs> newest_{0};
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: it uses the others
};

}  // namespace backstay::own_backup
