// Orders of every kind behind one name: decoded from an assignment, described for the journal, and stripped of secrets
// before they are stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/config/config.h"
#include "agent/state/jobs.h"
#include "common/domain/orders.h"
#include "common/result.h"

namespace backstay {

using Order = std::variant<BackupOrder, RestoreOrder, VerifyOrder, CopyOrder, DeleteOrder, UndoOrder,
                           TestDestinationOrder, BaseBackupOrder, SnapshotOrder, RollbackOrder, DeleteSnapshotOrder>;

// "backup", "restore" …, as Assignment::kind.
std::string_view kind_of(const Order& order);
// Databases give their folders below "filestore" their names: false for one that would lead elsewhere.
bool is_folder_name(std::string_view database);
// Unknown kind, or an order that does not fit it, or a database that is no name of a folder: invalid.
Result<Order> decode_order(std::string_view kind, const json::Object& order);

// The id of the order itself: backup_id, restore_id, verification_id …
std::string operation_of(const Order& order);
// Whose data it concerns; nullptr for copies, deletions and tests.
const EnvironmentOrder* environment_of(const Order& order);
// The control plane may leave the cluster out where there is one; two orders for one database must be seen as such.
void name_cluster(Order& order, const std::string& cluster);
// Every destination that it brings along, with its secrets.
std::vector<DestinationOrder> destinations_of(const Order& order);
std::int64_t timeout_of(const Order& order);
// Short: takes no slot.
bool is_quick(const Order& order);
// Changes or replaces the database: nothing else may run for it meanwhile.
std::string locked_database(const Order& order);

// The folder in destinations below which it may copy snapshots, "v1/<org>/<project>/<env>/snapshots"; absent: none.
std::optional<std::string> snapshots_written_by(const Order& order);

// For the journal and for declarations: destinations keep id, name and type, their configurations are empty.
json::Object without_secrets(const Order& order);

// What an order leaves to the host's [[wal]]: destinations, encryption and retention of base backups, destinations of a
// moment.
BaseBackupOrder complete_base_order(BaseBackupOrder order, const AgentConfig& config,
                                    const std::optional<control_plane::WalWish>& wish = std::nullopt);
// The host's [[wal]] with what schedules wish beyond it: they lengthen the window and shorten the interval, never the
// other way round.
WalConfig with_wish(WalConfig wal, const std::optional<control_plane::WalWish>& wish);
// `cluster`: whose archive the order means. no_destination when this host archives no WAL of it.
Result<RestoreOrder> complete_moment(RestoreOrder order, const AgentConfig& config, const std::string& cluster);

struct JobRequest {
    JobRow row;
    Order order;
};

}  // namespace backstay
