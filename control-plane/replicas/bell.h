// What one replica changed, the others hear of at once: NOTIFY and LISTEN on one channel of the store's PostgreSQL,
// each on a connection of its own and never in the transaction of the change, whose commits would queue behind each
// other. A ring may be lost (a replica that dies between its commit and its ring, a connection that breaks): whoever
// waits also looks by itself now and then.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "common/event/loop.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/store/database_threads.h"

namespace backstay::replicas {

// Both run on the loop thread.
struct Ears {
    std::function<void(const dispatch::Stir&)> heard;
    // Rings may have been missed, or there was too much to name: anything may have changed.
    std::function<void()> missed;
};

class Bell {
public:
    // All outlive it. `replica`: this one's id; what it rang itself is not heard.
    Bell(Loop& loop, store::DatabaseThreads& threads, std::string store, std::string replica, Ears ears);
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;

    // Loop thread, after the commit. What is rung while another ring is on its way goes out together.
    void ring(const dispatch::Stir& stir);

private:
    void send();
    void sent(bool all);
    void listening();
    void listen(const std::stop_token& stop);
    Result<> listen_once(const std::stop_token& stop);

    Loop& loop_;
    store::DatabaseThreads& threads_;
    const std::string store_;
    const std::string replica_;
    const Ears ears_;
    dispatch::Stir pending_;
    bool too_much_ = false;
    bool ringing_ = false;
    std::jthread listener_;  // last: it uses the others
};

}  // namespace backstay::replicas
