#include "control-plane/serve/open_files.h"

#include <sys/resource.h>

#include <algorithm>

#include "common/log.h"

namespace backstay::serve {
namespace {

// The store's own files or connections, content on its way, the log.
constexpr rlim_t kOtherFiles = 500;

}  // namespace

void allow_connections(std::size_t connections) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t wanted = connections + kOtherFiles;
    if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
        rlimit raised = limit;
        raised.rlim_cur = std::min(wanted, limit.rlim_max);
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    if (limit.rlim_cur >= wanted) return;
    log::warning("fewer connections than the settings allow",
                 {{"open_files", limit.rlim_cur}, {"connections", connections}, {"hint", "raise LimitNOFILE"}});
}

}  // namespace backstay::serve
