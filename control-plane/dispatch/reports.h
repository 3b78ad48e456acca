// Takes what agents report: in order, each once, only from the holder of the lease. Runs inside the caller's
// transaction on the writing thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

// Reports of a batch, by their place in it, of which only job, fence, number and perhaps kind could be read; and why.
using ReportFaults = std::map<std::size_t, std::string>;

// A report that fails for a reason of its own is rejected alone: nothing of it stays, its number counts, the others are
// taken. Failures that may pass are the error of the whole call: the agent sends again.
Result<control_plane::ReportAnswer> take_reports(sql::Database& db, const store::Agent& agent,
                                                 const control_plane::ReportBatch& batch, TimeMs now, Stir& stir,
                                                 const ReportFaults& faults = {});

}  // namespace backstay::dispatch
