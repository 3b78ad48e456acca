// The daemon `backstay-control serve`: builds all parts, listens, and stops them in order.
#pragma once

#include <string>

#include "common/result.h"

namespace backstay::serve {

struct ServeOptions {
    std::string state_dir;
    std::string listen;     // empty: control.toml's
    std::string store_url;  // empty: control.toml's
};

// Returns when the process was asked to stop (SIGTERM, SIGINT) and everything is closed. SIGHUP reads the TLS
// certificate again. While it listens, <state>/listen holds "HOST:PORT".
Result<> serve(const ServeOptions& options);

}  // namespace backstay::serve
