// One count for all replicas: what each took goes into a table of the store and the sum comes back, several times a
// second, on a thread of its own; no request waits for it. Between two exchanges a replica may let through what the
// others took meanwhile. Loop thread.
#pragma once

#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/event/loop.h"
#include "control-plane/auth/rate_limiter.h"
#include "control-plane/store/database_threads.h"

namespace backstay::serve {

class SharedLimits {
public:
    struct Named {
        std::string_view name;  // the same at every replica
        auth::RateLimiter& limiter;
    };
    // So many keys go together: what else replicas tell each other gets its turn between two such exchanges.
    static constexpr std::size_t kAtOnce = 100;

    // All outlive it.
    SharedLimits(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, std::vector<Named> limiters);
    ~SharedLimits();

    // After something was taken: exchanges at once when that is much.
    void taken();

private:
    struct Item;
    void exchange();
    void gather();
    static Result<> add(sql::Database& db, std::vector<Item>& items, TimeMs now, std::int64_t ahead, bool forgets);
    void settle(const std::vector<Item>& items);

    store::DatabaseThreads& threads_;
    const Clock& clock_;
    const std::vector<Named> limiters_;
    std::vector<Item> waiting_;  // gathered, and not told yet
    TimeMs forget_at_ = 0;
    bool exchanging_ = false;
    Timer timer_;
};

}  // namespace backstay::serve
