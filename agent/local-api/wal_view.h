// An archive as the socket and `backstay wal-show` tell of it.
#pragma once

#include "agent/local-api/messages.h"
#include "common/domain/wal_coverage.h"

namespace backstay::local_api {

// What coverage was told from, and what it came to.
WalArchiveView view_wal(const wal::Holdings& holdings, const wal::Coverage& coverage);

}  // namespace backstay::local_api
