// What an agent is told of schedules, so that it can run them while we are away.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane-client/protocol.h"
#include "control-plane/dispatch/orders.h"
#include "control-plane/store/agents.h"

namespace backstay::schedule {

// Inside the transaction of a heartbeat: takes the runs that the agent names, and adds to the answer the book, when the
// agent has another one, and up to which moment everything is decided.
Result<> answer_schedules(sql::Database& db, const store::Agent& agent, const control_plane::Heartbeat& heartbeat,
                          const dispatch::OpenDestination& open, TimeMs now, control_plane::HeartbeatAnswer& answer);

}  // namespace backstay::schedule
