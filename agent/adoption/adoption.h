// Filling the agent's state again from what lies in destinations and on the host, after it was lost or on a host that
// takes another one's place. What is known stays as it is; twice is once.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/adoption/report.h"
#include "agent/jobs/jobs.h"
#include "common/result.h"
#include "common/sqlite/database.h"

namespace backstay::adoption {

struct AdoptionParts {
    const JobHost& host;
    sqlite::Database& database;
    std::vector<DestinationOrder> destinations;
    std::stop_token stop;
};

// Blocks, for as long as reading every manifest takes. A destination that cannot be looked at is told of in the report;
// an error is of the state or of the request.
Result<AdoptionReport> adopt(const AdoptionParts& parts, const AdoptionRequest& request);

}  // namespace backstay::adoption
