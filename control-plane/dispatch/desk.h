// The desk at which agents stand: heartbeats, assignments, and what time does to jobs. Every function runs inside the
// caller's transaction on the writing thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/dispatch/rules.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/operations/rows.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

// A new job of ours with its operation, both under the operation's id; `order` may hold secrets, they are not kept.
struct NewJob {
    std::string kind;  // protocol.h, Assignment::kind
    std::string agent_id;
    json::Object order;
    std::int64_t timeout_ms = kBackupTimeoutMs;
    operations::OperationRow operation;  // id, kind, organization, environment, backup, performed_by, plan
};
Result<> enqueue(sql::Database& db, NewJob job, TimeMs now, Stir& stir);

// Asks to stop. True: it ended at once; false: its agent is told. Finished jobs answer true and stay as they are.
Result<bool> cancel_job(sql::Database& db, std::string_view job_id, TimeMs now, Stir& stir);

// conflict with reason duplicate_agent: another process with this identity is alive.
Result<control_plane::HeartbeatAnswer> take_heartbeat(sql::Database& db, const store::Agent& agent,
                                                      const control_plane::Heartbeat& heartbeat, TimeMs now,
                                                      Stir& stir);

// What there is for the agent now; empty lists: wait and ask again.
Result<control_plane::AssignmentsAnswer> next_assignments(sql::Database& db, const store::Agent& agent,
                                                          const control_plane::AssignmentsRequest& request,
                                                          const OpenDestination& open, TimeMs now, Stir& stir);

// Leases that ended, jobs that move nothing or wait too long. Called every few seconds. The first only reads, outside
// of transactions, and names those whose time seems to be over; the second looks again, and writes.
struct SweptJob {
    std::string organization_id;
    std::string id;
};
Result<std::vector<SweptJob>> jobs_to_sweep(sql::Database& db, TimeMs now);
Result<> sweep_job(sql::Database& db, std::string_view id, TimeMs now, Stir& stir);

// After nobody served: nobody could renew a lease.
Result<> restart_leases(sql::Database& db, TimeMs now);

}  // namespace backstay::dispatch
