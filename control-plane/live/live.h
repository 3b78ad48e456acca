// What keeps moving while the control plane serves: event streams, agents' long polls, the sweep of jobs, of
// snapshots whose time is over and of what is silent, and the purge of old history. Built once by serve's composition,
// on the loop thread, before the server listens.
#pragma once

#include <functional>

#include "common/clock.h"
#include "common/event/loop.h"
#include "control-plane/agent-api/assignment_polls.h"
#include "control-plane/api/call.h"
#include "control-plane/config/settings.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/progress/event_streams.h"
#include "control-plane/store/database_threads.h"

namespace backstay::live {

class Live {
public:
    // Everything outlives it. Leases start anew: nobody could renew them while the control plane was away.
    Live(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, dispatch::OpenDestination open,
         const Settings& settings);

    // Loop thread, after the commit of a change.
    void stir(const dispatch::Stir& stir);
    // What a write handler does with its Stir.
    void after_commit(api::Call& call, dispatch::Stir stir);
    // The daemon stops: streams and polls end, peers come back.
    void stop();

    progress::EventStreams& streams() { return streams_; }
    agent_api::AssignmentPolls& polls() { return polls_; }

private:
    void sweep();
    void purge();

    store::DatabaseThreads& threads_;
    const Clock& clock_;
    progress::EventStreams streams_;
    agent_api::AssignmentPolls polls_;
    const RetentionSettings keep_;
    const TimeMs listening_since_;
    TimeMs overdue_at_ = 0;  // of the next look; the writing thread only
    bool sweeping_ = false;
    bool purging_ = false;
    bool stopping_ = false;
    Timer sweep_timer_;
    Timer purge_timer_;
};

}  // namespace backstay::live
