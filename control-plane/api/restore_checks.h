// What must hold before a restore is queued (contract/semantics.md 8.2): checked before anything is touched.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/domain/manifest.h"
#include "control-plane-client/protocol.h"
#include "control-plane/api/pitr.h"
#include "control-plane/operations/history.h"
#include "control-plane/store/destinations.h"
#include "control-plane/store/environments.h"

namespace backstay::api {

struct RestoreRequest {
    std::optional<std::string> backup_id;
    std::optional<std::string> new_environment_name;
    std::optional<std::string> pitr_timestamp;
    std::optional<std::string> target_environment_id;
    std::optional<std::string> target_type;
    std::optional<bool> create_safety_backup;
    std::optional<std::string> scope;  // all, db, filestore
};
BOOST_DESCRIBE_STRUCT(RestoreRequest, (),
                      (backup_id, new_environment_name, pitr_timestamp, target_environment_id, target_type,
                       create_safety_backup, scope))

struct RestorePlan {
    std::string target_type;
    std::string scope;
    store::Environment target;
    std::optional<store::Environment> source;         // absent: it is unknown here
    std::vector<store::DestinationRow> destinations;  // readable by the target's agent, best first
    std::vector<store::DestinationRow> safety;        // where the safety backup goes; empty: none is made
    bool neutralize = false;
    bool new_uuid = false;
    std::optional<PitrOrder> pitr;  // a moment instead of the backup
};

// 503 agent_offline.
Result<> refuse_when_away(sql::Database& db, const std::string& agent_id, TimeMs now);
// 409 `code` when a backup's or a snapshot's manifest cannot be read here.
Result<Manifest> known_manifest(const std::optional<std::string>& text, std::string_view code);
// Whatever comes from production, or was not neutralized before, is neutralized on its way anywhere else
// (contract/semantics.md 8.3). `source` is absent when it is unknown here.
bool must_neutralize(const store::Environment& target, const std::optional<store::Environment>& source,
                     const Manifest& manifest);
// A database that a whole inventory does not know has none.
bool has_no_data(const control_plane::Inventory& inventory, const store::Environment& target);

// Every refusal of the contract but the one about a silent agent.
Result<RestorePlan> plan_restore_request(const Call& call, sql::Database& db, const operations::BackupRow& backup,
                                         const RestoreRequest& request);

// Whether a database of this manifest may go to that place: no older PostgreSQL, the same Odoo. An inventory that does
// not know the place yet is no obstacle; the agent looks again. Pure.
std::optional<std::string> version_obstacle(const Manifest& manifest, const control_plane::Inventory& inventory,
                                            const store::Environment& target);

}  // namespace backstay::api
