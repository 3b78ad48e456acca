#include "agent/local-api/orders.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/local-api/order_parts.h"
#include "agent/state/backups.h"
#include "agent/state/identity.h"
#include "agent/state/jobs.h"
#include "agent/state/wal.h"
#include "agent/worker/base_schedule.h"
#include "common/domain/layout.h"
#include "common/domain/moment.h"
#include "common/domain/reasons.h"
#include "common/ids.h"

namespace backstay::local_api {
namespace {

constexpr std::size_t kBackupsLooked = 1000;

// Where a backup of the catalogue can be read from.
Result<std::vector<DestinationOrder>> holders(const AgentConfig& config, const BackupRow& backup) {
    std::vector<DestinationOrder> found;
    for (const std::string& id : backup.destination_ids) {
        if (const DestinationOrder* destination = find_destination(config, id)) found.push_back(*destination);
    }
    if (found.empty()) {
        return Error(Errc::not_found, fmt::format("no configured destination holds backup {}", backup.backup_id))
            .with_reason(reason::kNoDestination)
            .with_hint("it lies in a destination that only the control plane knows; restore it from there");
    }
    return found;
}

BackupOrder backup_of(const Maker& maker, EnvironmentOrder environment, std::string scope, std::string trigger,
                      std::vector<DestinationOrder> destinations) {
    BackupOrder order;
    order.backup_id = new_uuid();
    order.scope = std::move(scope);
    order.trigger = std::move(trigger);
    order.created_at = {maker.clock.now_ms()};
    order.environment = std::move(environment);
    order.destinations = std::move(destinations);
    order.encrypt_for = encrypted_for(maker.config, order.destinations);
    return order;
}

}  // namespace

Result<BackupOrder> make_backup(const BackupRequest& request, const Maker& maker) {
    const std::string type = request.type.value_or("full");
    const std::string trigger = request.trigger.value_or("manual");
    TRY(one_of("type", type, {"full", "db"}));
    TRY(one_of("trigger", trigger,
               {"manual", "scheduled", "pre_deploy", "pre_restore", "pre_upgrade", "pre_destroy", "drill"}));
    if (request.label && request.label->size() > 200) return Error(Errc::invalid, "label: at most 200 bytes");
    EnvironmentOrder where = TRY(environment(maker, request.database, request.cluster));
    auto destinations = TRY(pick_destinations(maker.config, request.destinations));
    BackupOrder order = backup_of(maker, std::move(where), type, trigger, std::move(destinations));
    order.label = request.label;
    return order;
}

// The backup, or with a moment what stands in for it: whose database, of which cluster.
Result<BackupRow> find_source(const RestoreRequest& request, const Maker& maker) {
    if (!request.backup.empty() || !request.at) return BackupRepository(maker.database).look_up(request.backup);
    if (!request.of) return Error(Errc::invalid, "of: is required with a moment that no backup names");
    BackupRow source;
    source.environment = TRY(environment(maker, *request.of, request.cluster));
    source.cluster = *source.environment.cluster;
    source.database = *request.of;
    source.scope = "full";
    return source;
}

// The full backups of the source whose files are nearest to the moment, before and after.
Result<std::vector<PitrFilestore>> filestores_of(const BackupRow& source, TimeMs target, const Maker& maker) {
    std::vector<PitrFilestore> candidates;
    for (const BackupRow& row : TRY(BackupRepository(maker.database).newest(source.database, kBackupsLooked))) {
        if (row.scope != "full" || row.cluster != source.cluster) continue;
        auto where = holders(maker.config, row);
        if (where) candidates.push_back({row.backup_id, row.folder, std::move(*where), row.created_at});
    }
    return filestores_around(target, std::move(candidates));
}

Result<PitrOrder> make_moment(const RestoreRequest& request, const BackupRow& source, const Maker& maker) {
    const WalConfig* wal = find_wal(maker.config, source.cluster);
    const auto clusters = TRY(WalRepository(maker.database).clusters(source.cluster));
    if (wal == nullptr || clusters.empty()) {
        return Error(Errc::not_found, fmt::format("no WAL of cluster {} is archived", source.cluster))
            .with_reason(reason::kPitrTargetUnreachable)
            .with_hint("backstay setup-wal shows how");
    }
    if (request.at->ms > maker.clock.now_ms()) return Error(Errc::invalid, "at: lies in the future");
    PitrOrder order;
    order.target = *request.at;
    order.system_id = clusters.front().system_id;
    order.archive = clusters.front().folder;
    order.destinations = wal_destinations(maker.config, *wal);
    order.filestores = TRY(filestores_of(source, request.at->ms, maker));
    return order;
}

Result<RestoreOrder> make_restore(const RestoreRequest& request, const Maker& maker) {
    const BackupRow backup = TRY(find_source(request, maker));
    RestoreOrder order;
    order.restore_id = new_uuid();
    order.backup_id = backup.backup_id;
    order.folder = backup.folder;
    if (request.at) order.pitr = TRY(make_moment(request, backup, maker));
    if (!request.at) order.destinations = TRY(holders(maker.config, backup));
    order.source = backup.environment;
    order.scope = request.scope.value_or("all");
    TRY(one_of("scope", order.scope, {"all", "db", "filestore"}));
    // Backups that the control plane ordered were once kept without the name of the only, or first, cluster.
    const std::string cluster =
        backup.cluster.empty() && !maker.config.clusters.empty() ? maker.config.clusters.front().name : backup.cluster;
    Target target =
        TRY(find_target({request.database, request.cluster, request.filestore}, order.source, cluster, maker));
    order.target_type = target.type();
    order.neutralize = request.neutralize.value_or(!target.same) && order.scope != "filestore";
    order.new_uuid = request.new_uuid.value_or(!target.same) && order.scope != "filestore";
    order.target = std::move(target.environment);
    if (request.keep_previous_ms) order.keep_previous_ms = TRY(keep_previous(*request.keep_previous_ms));
    if (request.safety_backup.value_or(true)) {
        auto destinations = TRY(pick_destinations(maker.config, std::nullopt));
        const std::string scope = backup.scope == "db" ? "db" : "full";
        order.safety_backup = backup_of(maker, order.target, scope, "pre_restore", std::move(destinations));
    }
    return order;
}

Result<BaseBackupOrder> make_base(const BaseBackupRequest& request, const Maker& maker) {
    std::string cluster = request.cluster.value_or("");
    if (cluster.empty() && maker.config.wal.size() == 1) cluster = maker.config.wal.front().cluster;
    if (find_wal(maker.config, cluster) == nullptr) {
        return Error(Errc::invalid,
                     cluster.empty() ? "cluster: say which one" : fmt::format("cluster \"{}\" has no [[wal]]", cluster))
            .with_hint("a base backup is of use only with the WAL behind it");
    }
    WalRepository archive(maker.database);
    const auto identity = TRY(load_identity(maker.config.state_dir));
    const std::string owner =
        TRY(archive_owner(archive, cluster, identity ? identity->organization_id : std::string(layout::kLocal)));
    const JobRequest made =
        make_base_backup(cluster, owner, "manual", "asked", kOriginSocket, "", false, maker.clock.now_ms());
    BaseBackupOrder order = std::get<BaseBackupOrder>(made.order);
    if (request.destinations) order.destinations = TRY(pick_destinations(maker.config, request.destinations));
    return order;
}

Result<VerifyOrder> make_verify(const VerifyRequest& request, const Maker& maker) {
    const BackupRow backup = TRY(BackupRepository(maker.database).look_up(request.backup));
    VerifyOrder order;
    order.verification_id = new_uuid();
    order.backup_id = backup.backup_id;
    order.folder = backup.folder;
    order.destinations = TRY(holders(maker.config, backup));
    order.drill = request.drill.value_or(false);
    order.environment = backup.environment;
    return order;
}

Result<CopyOrder> make_copy(const CopyRequest& request, const Maker& maker) {
    const BackupRow backup = TRY(BackupRepository(maker.database).look_up(request.backup));
    CopyOrder order;
    order.copy_id = new_uuid();
    order.backup_id = backup.backup_id;
    order.folder = backup.folder;
    order.from = TRY(holders(maker.config, backup));
    for (DestinationOrder& destination : TRY(pick_destinations(maker.config, request.destinations))) {
        const auto& held = backup.destination_ids;
        if (std::find(held.begin(), held.end(), destination.id) == held.end())
            order.to.push_back(std::move(destination));
    }
    if (order.to.empty()) return Error(Errc::conflict, "every destination holds this backup already");
    return order;
}

Result<DeleteOrder> make_delete(const std::string& id, const Maker& maker) {
    const BackupRow backup = TRY(BackupRepository(maker.database).look_up(id));
    DeleteOrder order;
    order.deletion_id = new_uuid();
    order.backup_id = backup.backup_id;
    order.folder = backup.folder;
    order.destinations = TRY(holders(maker.config, backup));
    return order;
}

Result<UndoOrder> make_undo(const UndoRequest& request, const Maker& maker) {
    const JobRow job = TRY(JobRepository(maker.database).look_up(request.restore));
    if (job.kind != "restore" && job.kind != "rollback") {
        return Error(Errc::invalid, fmt::format("job {} is no restore and no rollback", job.job_id));
    }
    const Order restore = TRY(decode_order(job.kind, job.order));
    UndoOrder order;
    order.undo_id = new_uuid();
    order.restore_id = job.operation_id;
    order.target = *environment_of(restore);
    return order;
}

JobRequest make_job(Order order, const Maker& maker, const std::string& requested_by, bool reported) {
    JobRequest request{{}, std::move(order)};
    request.row.job_id = new_uuid();
    request.row.kind = kind_of(request.order);
    request.row.origin = kOriginSocket;
    request.row.requested_by = requested_by;
    request.row.operation_id = operation_of(request.order);
    request.row.order = without_secrets(request.order);
    request.row.created_at = {maker.clock.now_ms()};
    request.row.reported = reported;
    if (const auto* base = std::get_if<BaseBackupOrder>(&request.order)) request.row.cluster = base->cluster;
    if (const EnvironmentOrder* environment = environment_of(request.order)) {
        request.row.cluster = environment->cluster.value_or("");
        request.row.database = environment->database;
    }
    return request;
}

}  // namespace backstay::local_api
