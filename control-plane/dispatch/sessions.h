// Which process speaks for an agent. Runs inside the caller's transaction.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/rules.h"
#include "control-plane/store/agents.h"

namespace backstay::dispatch {

// A poll or a report so soon after another sign of life is none worth writing.
inline constexpr std::int64_t kSeenAnewMs = 15'000;

struct SessionRow {
    AgentSession session;
    TimeMs heard_at = 0;  // its last heartbeat; 0: never
};

Result<SessionRow> session_of(sql::Database& db, std::string_view agent_id);

// The same, to be asked together with others.
sql::Question session_question(std::string_view agent_id);
Result<SessionRow> read_session(sql::Statement rows);

// Takes a sign of life of this process; `row` is the agent's session until now. conflict with reason duplicate_agent
// while another process is alive.
Result<SessionRow> meet(sql::Database& db, std::string_view agent_id, SessionRow row, std::string_view instance_id,
                        bool heartbeat, TimeMs now);

// The agent lives, whichever process speaks for it.
Result<> note_seen(sql::Database& db, const store::Agent& agent, TimeMs now);

// The poll on which a process waits.
struct Waiting {
    std::string agent_id;
    std::string instance_id;
    std::string poll;
};

// The process that is met now waits on this poll. SQLite has one process, which knows its polls: nothing is written.
Result<> note_waiting(sql::Database& db, const Waiting& waiting);

// The connection of this poll broke, and here the process has no other: another one may take its place at once, unless
// this one waits at another replica by now.
Result<> note_gone(sql::Database& db, const Waiting& waiting);

// Whether the agent was heard of lately.
Result<bool> is_alive(sql::Database& db, std::string_view agent_id, TimeMs now);

}  // namespace backstay::dispatch
