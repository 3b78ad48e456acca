// Finding things within what the caller may see: another organization's, or another project's for a key limited to one,
// is 404 like what does not exist.
#pragma once

#include <string_view>

#include "control-plane/api/call.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/audit.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/projects.h"

namespace backstay::api {

Result<store::Project> find_project(const Call& call, sql::Database& db, std::string_view id);
Result<store::Environment> find_environment(const Call& call, sql::Database& db, std::string_view id);
Result<store::Agent> find_agent(const Call& call, sql::Database& db, std::string_view id);
Result<store::DestinationRow> find_destination(const Call& call, sql::Database& db, std::string_view id);

// Who and from where, as the audit trail tells it.
store::AuditEntry audit_entry(const Call& call, std::string_view action, std::string_view object_id,
                              std::string_view detail);
// A row of the audit trail, in the transaction of what it tells of.
Result<> note_audit(const Call& call, sql::Database& db, std::string_view action, std::string_view object_id,
                    std::string_view detail = "");
// Content of customers is handed out: one row an hour. In a transaction of its own.
Result<> note_download(const Call& call, sql::Database& db, std::string_view action, std::string_view object_id,
                       std::string_view detail);

}  // namespace backstay::api
