// Takes what agents report: in order, each once, only from the holder of the lease. Runs inside the caller's
// transaction on the writing thread.
#pragma once

#include "common/result.h"
#include "common/sqlite/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

Result<control_plane::ReportAnswer> take_reports(sqlite::Database& db, const store::Agent& agent,
                                                 const control_plane::ReportBatch& batch, TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
