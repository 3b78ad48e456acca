// What the agent does next by itself, and how its destinations did last, as the socket shows both.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/local-api/messages.h"
#include "agent/local-api/spaces.h"
#include "agent/worker/base_schedule.h"
#include "common/sqlite/database.h"

namespace backstay::local_api {

// The server's timeline of a cluster, where it is known.
using ServerTimeline = BaseSchedule::ServerTimeline;

// The soonest first; what waits for an occasion before all.
Result<std::vector<UpcomingView>> view_upcoming(sqlite::Database& database, const AgentConfig& config,
                                                const StatusAnswer& status, const ServerTimeline& timeline, TimeMs now);

// Those of the configuration, then others that orders of the last thirty days brought along.
Result<std::vector<DestinationView>> view_destinations(sqlite::Database& database, const AgentConfig& config,
                                                       const std::vector<WalView>& wal, const Spaces& spaces,
                                                       TimeMs now);

}  // namespace backstay::local_api
