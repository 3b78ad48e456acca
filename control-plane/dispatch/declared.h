// Jobs that an agent began by itself, on its socket or by its own schedule: they get rows like ours, under fence 0.
// Inside of control-plane/dispatch.
#pragma once

#include <optional>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/rules.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

// invalid: its kind or order is not understood; conflict: it names an operation that belongs to another job.
Result<Job> declare_job(sql::Database& db, const store::Agent& agent, const control_plane::Report& report, TimeMs now);

// The operation inside a job (the safety copy of a restore or a rollback), made when its first report comes. absent:
// the job's order knows no such operation.
Result<std::optional<operations::OperationRow>> open_inner_operation(sql::Database& db, const Job& job,
                                                                     std::string_view operation_id, TimeMs now);

}  // namespace backstay::dispatch
