// What goes wrong around an agent without being a fault of its configuration: rights, groups, places, the clock. Each
// looks with the rights of this process, and says what to do.
#pragma once

#include <string>
#include <vector>

#include "agent/archiver/cluster_watch.h"
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

// The service begins again after a boot. `root` is "/" but for tests; says nothing where systemd does not run.
void check_service(const std::string& root, CheckList& list);
// What a restore fetches lies there for a while.
void check_scratch(const AgentConfig& config, std::uint64_t database_bytes, CheckList& list);
// The filestore is there, can be read, and is this database's: `names` are files that its newest attachments name.
void check_filestore(const std::string& filestore, const std::vector<std::string>& names, CheckList& list);
// PostgreSQL's settings, and whether its archive_command gets through.
void judge_archiving(const std::string& cluster, const archiver::ServerFacts& facts, CheckList& list);
void check_wal(const AgentConfig& config, const std::stop_token& stop, CheckList& list);

// Of the above, what an agent looks at for itself.
void check_host(const AgentConfig& config, CheckList& list);

}  // namespace backstay::local_api
