// What goes wrong around an agent without being a fault of its configuration: rights, groups, places, the clock. Each
// looks with the rights of this process, and says what to do.
#pragma once

#include <string>
#include <vector>

#include "agent/local-api/check.h"

namespace backstay::local_api {

// The state folder and what lies in it belong to this account, and to nobody else.
void check_state_owner(const AgentConfig& config, CheckList& list);
// The groups of the sockets exist, and this account may give sockets to them.
void check_groups(const AgentConfig& config, CheckList& list);
// Local roots are there and can be written, also as the service's unit confines this process.
void check_roots(const AgentConfig& config, CheckList& list);
// One disk that dies, or one host that burns, must not take databases and backups.
void check_apart(const AgentConfig& config, CheckList& list);
// Where a restore would write.
void check_restores(const std::string& filestore, CheckList& list);
// A control plane is named, and knows this host.
void check_enrolment(const AgentConfig& config, CheckList& list);
// WAL that only this host's disk holds must fit there.
void check_spool(const AgentConfig& config, CheckList& list);
// Leases, schedules and retention go by the clock. The agent's own unit forbids it to look at how it is kept.
void check_clock(bool synchronised, CheckList& list);
bool clock_is_synchronised();

// Of the above, what an agent looks at for itself.
void check_host(const AgentConfig& config, CheckList& list);

}  // namespace backstay::local_api
