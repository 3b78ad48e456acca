// What keeps moving while the control plane serves: event streams, agents' long polls, and the upkeep. Built once by
// serve's composition, on the loop thread, before the server listens.
#pragma once

#include <functional>
#include <string>

#include "common/clock.h"
#include "common/event/loop.h"
#include "control-plane/agent-api/assignment_polls.h"
#include "control-plane/api/call.h"
#include "control-plane/config/settings.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/live/upkeep.h"
#include "control-plane/progress/event_streams.h"
#include "control-plane/store/database_threads.h"

namespace backstay::live {

class Live {
public:
    // Everything outlives it. `replica`: the id of this process.
    Live(Loop& loop, store::DatabaseThreads& threads, const Clock& clock, dispatch::OpenDestination open,
         const Settings& settings, const std::string& replica);

    // Other replicas are told of every change from now on.
    void ring_by(std::function<void(const dispatch::Stir&)> ring) { ring_ = std::move(ring); }
    // Loop thread, after the commit of a change.
    void stir(const dispatch::Stir& stir);
    // Loop thread: another replica changed this.
    void hear(const dispatch::Stir& stir);
    // Loop thread: whatever others changed may have been missed.
    void look_around();
    // What a write handler does with its Stir.
    void after_commit(api::Call& call, dispatch::Stir stir);
    // The daemon stops: streams and polls end, peers come back.
    void stop();

    progress::EventStreams& streams() { return streams_; }
    agent_api::AssignmentPolls& polls() { return polls_; }

private:
    std::function<void(const dispatch::Stir&)> ring_;  // empty: there are no others
    progress::EventStreams streams_;
    agent_api::AssignmentPolls polls_;
    Upkeep upkeep_;
};

}  // namespace backstay::live
