// Who cares for a backup or a snapshot that lies somewhere: deletes, verifies or copies it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/destinations.h"

namespace backstay::dispatch {

// What is stored, whichever of both it is.
struct Stored {
    Stored(const operations::BackupRow& row)  // NOLINT(google-explicit-constructor)
        : organization_id(row.organization_id),
          id(row.id),
          agent_id(row.agent_id),
          environment_id(row.environment_id) {}
    Stored(const operations::SnapshotRow& row)  // NOLINT(google-explicit-constructor)
        : organization_id(row.organization_id),
          id(row.id),
          agent_id(row.agent_id),
          environment_id(row.environment_id) {}

    std::string organization_id;
    std::string id;
    std::string agent_id;  // that made it
    std::optional<std::string> environment_id;
};

// Who does it: the agent that made it. When that one is gone for good, the one that has the environment now, or any
// other, reaches what is not local. conflict with reason no_agent: the organization has none.
Result<std::string> caring_agent(sql::Database& db, const Stored& stored);

struct Care {
    std::string agent_id;                      // "" when `where` is empty
    std::vector<store::DestinationRow> where;  // what of its destinations that one reaches
};
// Destinations where something of it lies, or may lie after an attempt that broke off; `complete_only`: where all of it
// does.
Result<Care> care_for(sql::Database& db, const Stored& stored, bool complete_only);

// Whose files nobody can delete any more, and why: "'disk' (removed)"; empty: none.
Result<std::string> left_behind(sql::Database& db, const Stored& stored, const Care& care);

// A job about it, under an operation of its own; still without its order.
NewJob job_about(const Stored& stored, operations::Kind operation, std::string_view kind, std::string_view agent_id,
                 std::string_view performed_by);

}  // namespace backstay::dispatch
