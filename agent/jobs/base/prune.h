// Retention carried out on a cluster's archive.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/evidence/testimony.h"
#include "agent/jobs/jobs.h"

namespace backstay::base {

// By common/domain/wal_retention.h, over all destinations together; a destination that cannot be read stops it, because
// what it holds may be what must stay. `forget` is called before anything goes; its error stops it too.
using Forget = std::function<Result<>(const wal::Disposal&, const std::vector<std::string>& stored)>;
Result<Pruned> prune(const std::vector<DestinationOrder>& destinations, const std::string& archive,
                     std::int32_t retention_days, const JobHost& host, std::stop_token stop, const Forget& forget);

}  // namespace backstay::base
