// What agents' signs of life say about alerts, and what silence does. Runs inside the caller's transaction.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

// In the transaction that takes the heartbeat: clock, disks and WAL archives as it tells of them; the agent is back.
Result<> watch_heartbeat(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                         TimeMs now);

// In the same transaction, when the heartbeat tells of disks: whether there is room where the organization's local
// destinations lie, and in other folders for backups on the host.
Result<> watch_spaces(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                      const OpenDestination& open, TimeMs now);

// What nobody told: agents and destinations that are silent, backups that are overdue. Called by the sweep;
// `listening_since`: when this control plane began to serve, before which it could hear nobody.
Result<> watch_silence(sql::Database& db, TimeMs listening_since, TimeMs now);

}  // namespace backstay::dispatch
