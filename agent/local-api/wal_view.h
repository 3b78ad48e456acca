// An archive as the socket and `backstay wal-show` tell of it.
#pragma once

#include "agent/jobs/restore/standalone_moment.h"
#include "agent/local-api/messages.h"

namespace backstay::local_api {

// What coverage was told from, and what it came to.
WalArchiveView view_wal(const wal::Holdings& holdings, const wal::Coverage& coverage);
WalArchiveView view_archive(const standalone::FoundArchive& archive);

}  // namespace backstay::local_api
