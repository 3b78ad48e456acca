// What runs by itself: the sweep of jobs, expired snapshots, schedules, retention, verifications and drills, silence
// and what is overdue, and the purge of old history. On one replica at a time: each piece asks for the duty first, on
// the connection with which it then writes.
#pragma once

#include <functional>
#include <string>

#include "common/clock.h"
#include "common/event/loop.h"
#include "control-plane/config/settings.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/live/purge.h"
#include "control-plane/replicas/leadership.h"
#include "control-plane/store/database_threads.h"

namespace backstay::live {

class Upkeep {
public:
    using Stirred = std::function<void(const dispatch::Stir&)>;  // on the loop thread

    // All outlive it. When nobody served before, leases start anew before anything else is written: nobody could renew
    // them.
    Upkeep(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, const RetentionSettings& keep,
           std::string replica, Stirred stirred);
    void stop() { stopping_ = true; }

private:
    void look();
    void purge();
    // Upkeep thread.
    Result<std::optional<replicas::Term>> lead(sql::Database& db);
    Result<dispatch::Stir> work(sql::Database& db);
    void sweep(sql::Database& db, const replicas::Term& term, dispatch::Stir& stir);

    store::DatabaseThreads& threads_;
    const Clock& clock_;
    Purge purge_;  // upkeep thread
    const Stirred stirred_;
    replicas::Leadership leadership_;  // upkeep thread
    std::int64_t sweep_at_;            // of the next one, steady; upkeep thread
    std::int64_t overdue_at_ = 0;      // likewise
    bool looking_ = false;
    bool purging_ = false;
    bool stopping_ = false;
    Timer look_timer_;
    Timer purge_timer_;
};

}  // namespace backstay::live
