// The storage browser (contract/semantics.md 9): what lies in a destination, joined with what the control plane knows.
#pragma once

#include "common/clock.h"
#include "control-plane/api/routes.h"
#include "control-plane/browse/reach.h"
#include "control-plane/browse/scans.h"
#include "control-plane/browse/stream_tokens.h"
#include "control-plane/browse/transfers.h"
#include "control-plane/browse/uploads.h"

namespace backstay::browse {

// What its routes stand on; built once by the daemon, on the loop thread.
struct Browser {
    struct Home {
        std::string state_dir;
        std::string replica_id;
    };
    Browser(Loop& loop, store::DatabaseThreads& threads, const Clock& now, const SecretBox& box, http::AddressRule rule,
            relay::StorageDesk& desk, relay::Pumps& pumps, const Home& home)
        : clock(now),
          secrets(box),
          tokens(box),
          reach(box, rule, desk),
          transfers(loop, threads, reach, pumps),
          uploads(loop, threads, reach, pumps, transfers.slots()),
          scans(loop, threads, now, reach, {home.state_dir + "/scans", home.replica_id}) {}

    // Whoever waits for a destination or an agent gives up; before the threads are stopped.
    void stop() {
        transfers.stop();
        uploads.stop();
        scans.stop();
        reach.stop();
    }

    const Clock& clock;
    const SecretBox& secrets;
    const StreamTokens tokens;
    Reach reach;
    Transfers transfers;
    Uploads uploads;
    Scans scans;
};

// It outlives the routes.
void add_browse_routes(api::RouteTable& routes, Browser& browser);

}  // namespace backstay::browse
