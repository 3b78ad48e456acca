#include "agent/worker/orders.h"

#include <fmt/format.h>

#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/json/json.h"

namespace backstay {
namespace {

constexpr std::int64_t kQuickTimeoutMs = 3'600'000;
constexpr std::int64_t kLongTimeoutMs = 24LL * 3'600'000;

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

template <class T>
Result<Order> decode_as(const json::Object& order) {
    return Order(TRY(json::decode<T>(json::Value(order), json::kLenient)));
}

// Empties every "config" beside an "id" and a "type", at any depth.
void strip(json::Value& value) {
    if (auto* object = value.if_object()) {
        if (object->contains("type") && object->contains("config")) (*object)["config"] = json::Object{};
        for (auto& item : *object) strip(item.value());
    } else if (auto* array = value.if_array()) {
        for (json::Value& item : *array) strip(item);
    }
}

Result<Order> decode_any(std::string_view kind, const json::Object& order) {
    if (kind == "backup") return decode_as<BackupOrder>(order);
    if (kind == "restore") return decode_as<RestoreOrder>(order);
    if (kind == "verify") return decode_as<VerifyOrder>(order);
    if (kind == "copy") return decode_as<CopyOrder>(order);
    if (kind == "delete") return decode_as<DeleteOrder>(order);
    if (kind == "undo") return decode_as<UndoOrder>(order);
    if (kind == "test_destination") return decode_as<TestDestinationOrder>(order);
    if (kind == "base_backup") return decode_as<BaseBackupOrder>(order);
    if (kind == "snapshot") return decode_as<SnapshotOrder>(order);
    if (kind == "rollback") return decode_as<RollbackOrder>(order);
    if (kind == "delete_snapshot") return decode_as<DeleteSnapshotOrder>(order);
    return Error(Errc::invalid, fmt::format("this agent does not know the kind \"{}\"", kind));
}

}  // namespace

std::string_view kind_of(const Order& order) {
    return std::visit(Overloaded{
                          [](const BackupOrder&) { return "backup"; },
                          [](const RestoreOrder&) { return "restore"; },
                          [](const VerifyOrder&) { return "verify"; },
                          [](const CopyOrder&) { return "copy"; },
                          [](const DeleteOrder&) { return "delete"; },
                          [](const UndoOrder&) { return "undo"; },
                          [](const TestDestinationOrder&) { return "test_destination"; },
                          [](const BaseBackupOrder&) { return "base_backup"; },
                          [](const SnapshotOrder&) { return "snapshot"; },
                          [](const RollbackOrder&) { return "rollback"; },
                          [](const DeleteSnapshotOrder&) { return "delete_snapshot"; },
                      },
                      order);
}

bool is_folder_name(std::string_view database) {
    return database != "." && database != ".." && database.find_first_of(std::string_view("/\0", 2)) == database.npos;
}

Result<Order> decode_order(std::string_view kind, const json::Object& order) {
    Order decoded = TRY(decode_any(kind, order));
    const EnvironmentOrder* environment = environment_of(decoded);
    if (environment != nullptr && !is_folder_name(environment->database)) {
        return Error(Errc::invalid, "the database's name would lead out of the folder of filestores");
    }
    return decoded;
}

std::string operation_of(const Order& order) {
    return std::visit(Overloaded{
                          [](const BackupOrder& backup) { return backup.backup_id; },
                          [](const RestoreOrder& restore) { return restore.restore_id; },
                          [](const VerifyOrder& verify) { return verify.verification_id; },
                          [](const CopyOrder& copy) { return copy.copy_id; },
                          [](const DeleteOrder& deletion) { return deletion.deletion_id; },
                          [](const UndoOrder& undo) { return undo.undo_id; },
                          [](const TestDestinationOrder& test) { return test.test_id; },
                          [](const BaseBackupOrder& base) { return base.backup_id; },
                          [](const SnapshotOrder& snapshot) { return snapshot.snapshot_id; },
                          [](const RollbackOrder& rollback) { return rollback.rollback_id; },
                          [](const DeleteSnapshotOrder& deletion) { return deletion.deletion_id; },
                      },
                      order);
}

const EnvironmentOrder* environment_of(const Order& order) {
    if (const auto* backup = std::get_if<BackupOrder>(&order)) return &backup->environment;
    if (const auto* restore = std::get_if<RestoreOrder>(&order)) return &restore->target;
    if (const auto* verify = std::get_if<VerifyOrder>(&order)) return &verify->environment;
    if (const auto* undo = std::get_if<UndoOrder>(&order)) return &undo->target;
    if (const auto* snapshot = std::get_if<SnapshotOrder>(&order)) return &snapshot->environment;
    if (const auto* rollback = std::get_if<RollbackOrder>(&order)) return &rollback->target;
    return nullptr;
}

void name_cluster(Order& order, const std::string& cluster) {
    const auto name = [&](EnvironmentOrder& environment) {
        if (environment.cluster.value_or("").empty()) environment.cluster = cluster;
    };
    if (auto* backup = std::get_if<BackupOrder>(&order)) name(backup->environment);
    if (auto* snapshot = std::get_if<SnapshotOrder>(&order)) name(snapshot->environment);
    if (auto* rollback = std::get_if<RollbackOrder>(&order)) {
        name(rollback->target);
        if (rollback->safety_snapshot) name(rollback->safety_snapshot->environment);
    }
    if (auto* verify = std::get_if<VerifyOrder>(&order)) name(verify->environment);
    if (auto* undo = std::get_if<UndoOrder>(&order)) name(undo->target);
    if (auto* restore = std::get_if<RestoreOrder>(&order)) {
        name(restore->target);
        if (restore->safety_backup) name(restore->safety_backup->environment);
    }
}

std::vector<DestinationOrder> destinations_of(const Order& order) {
    if (const auto* backup = std::get_if<BackupOrder>(&order)) return backup->destinations;
    if (const auto* verify = std::get_if<VerifyOrder>(&order)) return verify->destinations;
    if (const auto* deletion = std::get_if<DeleteOrder>(&order)) return deletion->destinations;
    if (const auto* test = std::get_if<TestDestinationOrder>(&order)) return {test->destination};
    if (const auto* snapshot = std::get_if<SnapshotOrder>(&order)) return snapshot->destinations;
    if (const auto* deletion = std::get_if<DeleteSnapshotOrder>(&order)) return deletion->destinations;
    std::vector<DestinationOrder> all;
    if (const auto* copy = std::get_if<CopyOrder>(&order)) {
        all = copy->from;
        all.insert(all.end(), copy->to.begin(), copy->to.end());
    }
    if (const auto* restore = std::get_if<RestoreOrder>(&order)) {
        all = restore->destinations;
        if (restore->safety_backup) {
            const auto& more = restore->safety_backup->destinations;
            all.insert(all.end(), more.begin(), more.end());
        }
    }
    if (const auto* rollback = std::get_if<RollbackOrder>(&order)) {
        all = rollback->destinations;
        if (rollback->safety_snapshot) {
            const auto& more = rollback->safety_snapshot->destinations;
            all.insert(all.end(), more.begin(), more.end());
        }
    }
    return all;
}

std::int64_t timeout_of(const Order& order) {
    if (const auto* backup = std::get_if<BackupOrder>(&order)) return backup->timeout_ms;
    if (const auto* restore = std::get_if<RestoreOrder>(&order)) return restore->timeout_ms;
    if (const auto* base = std::get_if<BaseBackupOrder>(&order)) return base->timeout_ms;
    if (const auto* snapshot = std::get_if<SnapshotOrder>(&order)) return snapshot->timeout_ms;
    if (const auto* rollback = std::get_if<RollbackOrder>(&order)) return rollback->timeout_ms;
    return is_quick(order) ? kQuickTimeoutMs : kLongTimeoutMs;
}

bool is_quick(const Order& order) {
    return std::holds_alternative<DeleteOrder>(order) || std::holds_alternative<UndoOrder>(order) ||
           std::holds_alternative<TestDestinationOrder>(order) || std::holds_alternative<DeleteSnapshotOrder>(order);
}

std::string locked_database(const Order& order) {
    if (std::holds_alternative<VerifyOrder>(order)) return "";
    // No database bears such a name: one base backup of a cluster at a time, beside whatever else runs.
    if (const auto* base = std::get_if<BaseBackupOrder>(&order)) return base->cluster + "//";
    const EnvironmentOrder* environment = environment_of(order);
    if (environment == nullptr) return "";
    return environment->cluster.value_or("") + "/" + environment->database;
}

std::optional<std::string> snapshots_written_by(const Order& order) {
    const auto* snapshot = std::get_if<SnapshotOrder>(&order);
    if (const auto* rollback = std::get_if<RollbackOrder>(&order); rollback != nullptr && rollback->safety_snapshot) {
        snapshot = &*rollback->safety_snapshot;
    }
    if (snapshot == nullptr) return std::nullopt;
    const EnvironmentOrder& environment = snapshot->environment;
    const std::string folder = layout::snapshot_folder(
        {environment.organization_id, environment.project_id, environment.environment_id}, snapshot->snapshot_id);
    return folder.substr(0, folder.rfind('/'));
}

WalConfig with_wish(WalConfig wal, const std::optional<control_plane::WalWish>& wish) {
    if (!wish) return wal;
    wal.retention_days = std::max(wal.retention_days, wish->retention_days);
    if (wish->base_every_days > 0) wal.base_every_days = std::min(wal.base_every_days, wish->base_every_days);
    return wal;
}

BaseBackupOrder complete_base_order(BaseBackupOrder order, const AgentConfig& config,
                                    const std::optional<control_plane::WalWish>& wish) {
    const WalConfig* wal = find_wal(config, order.cluster);
    if (wal != nullptr && order.destinations.empty()) order.destinations = wal_destinations(config, *wal);
    if (wal != nullptr && order.retention_days == 0) order.retention_days = with_wish(*wal, wish).retention_days;
    const auto& encrypted = config.encrypted;
    const bool any = std::any_of(order.destinations.begin(), order.destinations.end(), [&](const auto& destination) {
        return std::find(encrypted.begin(), encrypted.end(), destination.id) != encrypted.end();
    });
    // All artifacts of a backup are alike: one destination that wants them encrypted decides.
    if (any && order.encrypt_for.empty()) {
        for (const DestinationOrder& destination : order.destinations) order.encrypt_for.push_back(destination.id);
    }
    return order;
}

Result<RestoreOrder> complete_moment(RestoreOrder order, const AgentConfig& config, const std::string& cluster) {
    if (!order.pitr || !order.pitr->destinations.empty()) return order;
    const WalConfig* wal = find_wal(config, cluster);
    if (wal == nullptr) {
        const std::string whose = cluster.empty() ? "system " + order.pitr->system_id : "cluster \"" + cluster + "\"";
        return Error(Errc::not_found, fmt::format("this host archives no WAL of {}, and the order names no destination "
                                                  "that has it",
                                                  whose))
            .with_reason(reason::kNoDestination)
            .with_hint("a [[wal]] of the agent's configuration names clusters and their destinations");
    }
    order.pitr->destinations = wal_destinations(config, *wal);
    return order;
}

json::Object without_secrets(const Order& order) {
    json::Value value = std::visit([](const auto& one) { return json::encode(one); }, order);
    strip(value);
    return std::move(value.as_object());
}

}  // namespace backstay
