// Opening a destination for a job: configuration decoded, the host's allow-list and rate limit applied. Any thread;
// each storage for one thread at a time.
#pragma once

#include <memory>
#include <stop_token>

#include "agent/jobs/jobs.h"
#include "common/domain/orders.h"
#include "common/result.h"
#include "storage/destination.h"
#include "storage/storage.h"

namespace backstay {

// A local folder must lie below one of the configuration's local_roots, whoever names it; without any, none may. A
// command that an operator runs for one folder adds that folder to its own copy of the configuration.
// Remote stores are waited for as `patience` says: kBriefPatience for looking whether one is there.
Result<std::unique_ptr<Storage>> open_destination(const DestinationOrder& order, const JobHost& host,
                                                  std::stop_token stop, const Patience& patience = {});

// Removes every object below `folder`, the manifest first, so that what remains for a moment is no backup. Answers how
// many there were.
Result<std::uint64_t> remove_folder_objects(Storage& storage, const std::string& folder);

}  // namespace backstay
