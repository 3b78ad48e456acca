#include "agent/adoption/taking.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/adoption/leftovers.h"
#include "agent/jobs/restore/opened_backup.h"
#include "agent/state/identity.h"
#include "agent/state/jobs.h"
#include "agent/worker/catalogue.h"
#include "common/domain/layout.h"
#include "common/domain/lsn.h"
#include "common/ids.h"

namespace backstay::adoption {
namespace {

constexpr std::size_t kShownMax = 200;
constexpr std::size_t kForeignMax = 100;
constexpr std::size_t kDatabasesMax = 5;

bool has(const std::vector<std::string>& ids, const std::string& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::uint64_t stored_bytes(const FoundFolder& folder) {
    std::uint64_t bytes = 0;
    for (const auto& [name, size] : folder.files) bytes += size;
    return bytes;
}

std::string database_of(const Manifest& manifest) {
    return manifest.odoo && !manifest.odoo->db_name.empty() ? manifest.odoo->db_name : manifest.environment_name;
}

// "v1/<org>/…" of a control plane, or of a host without one.
std::string_view origin_of(const Manifest& manifest) {
    return manifest.organization_id == layout::kLocal ? kOriginSocket : kOriginControlPlane;
}

EnvironmentOrder environment_of(const Manifest& manifest, const std::string& cluster) {
    EnvironmentOrder order;
    order.organization_id = manifest.organization_id;
    order.project_id = manifest.project_id;
    order.environment_id = manifest.environment_id;
    order.name = manifest.environment_name;
    order.type = manifest.environment_type;
    if (!cluster.empty()) order.cluster = cluster;
    order.database = database_of(manifest);
    return order;
}

// What of it is not there as it was written; empty: nothing.
std::string missing_in(const FoundFolder& folder, const Manifest& manifest) {
    for (const ManifestArtifact& artifact : manifest.artifacts) {
        const auto file = folder.files.find(artifact.path);
        if (file == folder.files.end()) return fmt::format("{} is missing", artifact.path);
        if (file->second != artifact.bytes) {
            return fmt::format("{} has {} bytes instead of {}", artifact.path, file->second, artifact.bytes);
        }
    }
    return "";
}

// not_found is none; several cannot be, of a whole id.
Result<std::optional<BackupRow>> known_backup(BackupRepository& backups, const std::string& id) {
    auto row = backups.look_up(id);
    if (!row && row.error().code() == Errc::not_found) return std::optional<BackupRow>();
    return std::optional(TRY(std::move(row)));
}

}  // namespace

Taking::Taking(const AdoptionParts& parts, const AdoptionRequest& request, AdoptionReport& report)
    : parts_(parts),
      request_(request),
      report_(report),
      backups_(parts.database),
      snapshots_(parts.database),
      archive_(parts.database) {}

Result<> Taking::know_oneself() {
    const std::string& state_dir = parts_.host.config.state_dir;
    own_.insert(parts_.host.agent_id);
    // Before it was enrolled it had an id of its own.
    own_.insert(TRY(local_agent_id(state_dir)));
    if (request_.from_agent) own_.insert(*request_.from_agent);
    for (const WalCluster& cluster : TRY(archive_.clusters())) clusters_[cluster.system_id] = cluster.cluster;
    clusters_.merge(clusters_by_system(parts_.host.config, parts_.stop));
    return {};
}

Result<> Taking::take(Storage& storage, const std::string& place, const FoundFolder& folder) {
    if (!is_uuid(folder.id)) return fault(folder, "its name is no id"), Result<>();
    switch (folder.kind) {
        case FolderKind::backup:
            return take_backup(storage, place, folder);
        case FolderKind::base:
            return take_base(storage, place, folder);
        case FolderKind::snapshot:
            return place == kHostPlace ? take_snapshot(storage, folder) : take_copy_of_snapshot(storage, place, folder);
    }
    return {};
}

Result<> Taking::take_backup(Storage& storage, const std::string& place, const FoundFolder& folder) {
    auto row = TRY(known_backup(backups_, folder.id));
    if (row && has(row->destination_ids, place)) {
        ++report_.known;
        return {};
    }
    const auto manifest = TRY(read_own(storage, folder));
    if (!manifest) return {};
    if (row) {
        ++report_.copies;
        row->destination_ids.push_back(place);
        if (report_.shown) return {};
        return backups_.set_destinations(folder.id, row->destination_ids, row->status);
    }
    BackupRow made;
    made.backup_id = folder.id;
    made.created_at = manifest->started_at;
    made.completed_at = manifest->completed_at;
    made.cluster = cluster_of(*manifest);
    made.database = database_of(*manifest);
    made.scope = manifest->scope;
    made.trigger = manifest->trigger;
    made.label = manifest->label;
    made.origin = origin_of(*manifest);
    made.status = "completed";
    made.folder = folder.path;
    made.size_bytes = stored_bytes(folder);
    made.environment = environment_of(*manifest, made.cluster);
    made.manifest = slim_manifest(*manifest);
    made.destination_ids = {place};
    if (!count(report_.backups, {"backup", folder.id, made.cluster, made.database, made.created_at, place})) return {};
    return report_.shown ? Result<>() : backups_.put(made);
}

Result<> Taking::take_base(Storage& storage, const std::string& place, const FoundFolder& folder) {
    const std::string archive = folder.path.substr(0, folder.path.rfind("/base/"));
    const std::string system_id = archive.substr(archive.rfind('/') + 1);
    const auto bases = TRY(archive_.bases(system_id));
    const auto row =
        std::find_if(bases.begin(), bases.end(), [&](const WalBase& base) { return base.backup_id == folder.id; });
    if (row != bases.end() && has(row->destination_ids, place)) {
        ++report_.known;
        return {};
    }
    const auto manifest = TRY(read_own(storage, folder));
    if (!manifest) return {};
    if (!manifest->base) return fault(folder, "this is no base backup"), Result<>();
    if (row != bases.end()) {
        ++report_.copies;
        WalBase more = *row;
        more.destination_ids.push_back(place);
        return report_.shown ? Result<>() : archive_.put_base(more);
    }
    WalBase made;
    made.backup_id = folder.id;
    made.system_id = system_id;
    made.timeline = static_cast<wal::Timeline>(manifest->postgres.timeline);
    made.start = TRY(wal::parse_lsn(manifest->postgres.start_lsn));
    made.stop = TRY(wal::parse_lsn(manifest->postgres.end_lsn));
    made.started_at = manifest->base->started_at.ms;
    made.ended_at = manifest->base->ended_at.ms;
    made.folder = folder.path;
    made.reason = manifest->trigger == "manual" ? "asked" : "interval";
    made.status = "completed";
    made.size_bytes = stored_bytes(folder);
    made.destination_ids = {place};
    if (!count(report_.bases, {"base", folder.id, manifest->base->cluster, "", {made.started_at}, place})) return {};
    return report_.shown ? Result<>() : put_base(made, *manifest);
}

// An archive that goes on keeps its folder; one of a server that is gone is known again, too.
Result<> Taking::put_base(const WalBase& row, const Manifest& manifest) {
    if (!TRY(archive_.cluster(row.system_id))) {
        WalCluster cluster;
        cluster.system_id = row.system_id;
        cluster.cluster = cluster_of(manifest);
        if (cluster.cluster.empty()) cluster.cluster = manifest.base->cluster;
        cluster.folder = manifest.base->archive;
        cluster.segment_bytes = manifest.base->segment_bytes;
        cluster.server_version_num = manifest.postgres.server_version_num;
        cluster.first_seen_at = row.started_at;
        cluster.last_seen_at = row.ended_at;
        TRY(archive_.put_cluster(cluster));
    }
    return archive_.put_base(row);
}

Result<> Taking::take_snapshot(Storage& storage, const FoundFolder& folder) {
    if (TRY(snapshots_.find(folder.id))) {
        ++report_.known;
        return {};
    }
    const auto manifest = TRY(read_own(storage, folder));
    if (!manifest) return {};
    SnapshotRow made;
    made.snapshot_id = folder.id;
    made.environment = folder.path.substr(0, folder.path.rfind("/snapshots/"));
    made.folder = folder.path;
    made.status = "completed";
    made.created_at = manifest->started_at;
    made.completed_at = manifest->completed_at;
    made.cluster = cluster_of(*manifest);
    made.database = database_of(*manifest);
    made.trigger = manifest->trigger;
    made.label = manifest->label;
    made.origin = origin_of(*manifest);
    made.mode = manifest->filestore ? manifest->filestore->mode : "full";
    if (manifest->filestore && made.mode != "full") made.base_id = manifest->filestore->base_snapshot_id;
    made.size_bytes = stored_bytes(folder);
    const ManifestArtifact* dump = find_artifact(*manifest, artifact::kDatabase);
    made.database_bytes = dump != nullptr ? dump->bytes : 0;
    made.environment_order = environment_of(*manifest, made.cluster);
    const bool leans = made.base_id && !met_.contains(*made.base_id);
    if (leans && !TRY(snapshots_.find(*made.base_id))) {
        // Full ones come first; then it is told of.
        Error error(Errc::not_found, fmt::format("its base {} is not here", *made.base_id));
        error.add_fact(std::string(kBaseFact), *made.base_id);
        return error;
    }
    const bool first = count(report_.snapshots, {"snapshot", folder.id, made.cluster, made.database, made.created_at,
                                                 std::string(kHostPlace)});
    return report_.shown || !first ? Result<>() : snapshots_.adopt(made);
}

Result<> Taking::take_copy_of_snapshot(Storage& storage, const std::string& place, const FoundFolder& folder) {
    const auto row = TRY(snapshots_.find(folder.id));
    if (!row && !met_.contains(folder.id)) {
        ++report_.copies_alone;
        return {};
    }
    if (row && has(row->destination_ids, place)) {
        ++report_.known;
        return {};
    }
    if (!TRY(read_own(storage, folder))) return {};
    ++report_.copies;
    return report_.shown ? Result<>() : snapshots_.add_destinations(folder.id, {place});
}

Result<std::optional<Manifest>> Taking::read_own(Storage& storage, const FoundFolder& folder) {
    auto text = restore::fetch_manifest_text(storage, folder.path);
    // It may be on its way out at this moment.
    if (!text && text.error().code() == Errc::not_found) return std::optional<Manifest>();
    if (!text) {
        const Errc code = text.error().code();
        const bool of_all = code == Errc::cancelled || code == Errc::unavailable || code == Errc::timed_out;
        if (of_all) return std::move(text).error();
        fault(folder, text.error().message());
        return std::optional<Manifest>();
    }
    auto manifest = restore::read_manifest_of(*text, folder.path, folder.id);
    if (!manifest) {
        fault(folder, manifest.error().message());
        return std::optional<Manifest>();
    }
    if (!is_own(*manifest)) {
        foreign(*manifest);
        return std::optional<Manifest>();
    }
    if (const std::string missing = missing_in(folder, *manifest); !missing.empty()) {
        fault(folder, missing);
        return std::optional<Manifest>();
    }
    return std::optional(std::move(*manifest));
}

bool Taking::is_own(const Manifest& manifest) {
    return request_.all.value_or(false) || own_.contains(manifest.agent.id);
}

void Taking::fault(const FoundFolder& folder, const std::string& what) {
    ++report_.fault_count;
    if (report_.faults.size() < kShownMax) report_.faults.push_back(fmt::format("{}: {}", folder.path, what));
}

void Taking::foreign(const Manifest& manifest) {
    const auto same = std::find_if(report_.foreign.begin(), report_.foreign.end(), [&](const ForeignItems& one) {
        return one.agent_id == manifest.agent.id && one.organization_id == manifest.organization_id;
    });
    if (same == report_.foreign.end() && report_.foreign.size() >= kForeignMax) return;
    ForeignItems& items = same == report_.foreign.end() ? report_.foreign.emplace_back() : *same;
    items.agent_id = manifest.agent.id;
    items.organization_id = manifest.organization_id;
    ++items.count;
    items.newest = std::max(items.newest, manifest.started_at);
    const std::string database = manifest.base ? "" : database_of(manifest);
    const bool more = !database.empty() && !has(items.databases, database);
    if (more && items.databases.size() < kDatabasesMax) items.databases.push_back(database);
}

bool Taking::count(std::uint64_t& counter, AdoptedItem item) {
    const bool first = !report_.shown || met_.insert(item.id).second;
    if (!first) {
        ++report_.copies;
        return false;
    }
    ++counter;
    if (report_.items.size() < kShownMax) report_.items.push_back(std::move(item));
    return true;
}

std::string Taking::cluster_of(const Manifest& manifest) const {
    const auto& clusters = parts_.host.config.clusters;
    const auto known = clusters_.find(manifest.postgres.system_id);
    if (known != clusters_.end()) return known->second;
    if (manifest.base) return manifest.base->cluster;
    return clusters.size() == 1 ? clusters.front().name : std::string();
}

}  // namespace backstay::adoption
