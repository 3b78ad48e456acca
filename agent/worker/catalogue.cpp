#include "agent/worker/catalogue.h"

#include <algorithm>
#include <set>

#include "agent/state/backups.h"
#include "agent/state/snapshots.h"
#include "agent/state/wal.h"
#include "agent/wal/segment_name.h"
#include "common/domain/copies.h"
#include "common/domain/verdict.h"
#include "common/sqlite/transaction.h"

namespace backstay {
namespace {

constexpr std::string_view kCompleted = "completed";

bool holds_all(const OperationEvidence& evidence, const std::string& destination) {
    if (!evidence.plan) return false;
    return std::all_of(evidence.plan->artifacts.begin(), evidence.plan->artifacts.end(), [&](const std::string& name) {
        return std::any_of(evidence.copies.begin(), evidence.copies.end(), [&](const CopyRecord& copy) {
            return copy.destination_id == destination && copy.artifact == name && is_stored(copy);
        });
    });
}

// The row's status when its operation is over.
std::string status_by(const OperationEvidence& evidence) {
    EvidenceInput input;
    if (evidence.plan) input.plan = *evidence.plan;
    input.phase = Phase::ended;
    input.steps = evidence.steps;
    input.copies = evidence.copies;
    return row_status(input, judge(input));
}

// not_found is no fault here: the backup may be another agent's.
Result<std::optional<BackupRow>> known(BackupRepository& backups, const std::string& id) {
    auto found = backups.look_up(id);
    if (!found && found.error().code() == Errc::not_found) return std::optional<BackupRow>();
    return std::optional<BackupRow>(TRY(std::move(found)));
}

}  // namespace

json::Object slim_manifest(const Manifest& manifest) {
    json::Object object = json::encode(manifest).as_object();
    object["contents"].as_object().erase("rowCounts");
    if (manifest.odoo) {  // as in the file: a restore compares its major version
        const json::Value odoo = json::encode(*manifest.odoo, json::Names::as_is);
        for (const auto& item : odoo.as_object()) object.emplace(item.key(), item.value());
    }
    return object;
}

void describe_backup(const BackupOutcome& outcome, control_plane::JobFinish& finish) {
    finish.folder = outcome.folder;
    finish.size_bytes = outcome.size_bytes;
    finish.manifest = slim_manifest(outcome.manifest);
    finish.notes = outcome.notes;
    for (const ManifestArtifact& artifact : outcome.manifest.artifacts) {
        if (artifact.name == artifact::kDatabase) finish.database_bytes = artifact.uncompressed_bytes;
        if (artifact.name == artifact::kFilestore) finish.filestore_bytes = artifact.uncompressed_bytes;
    }
}

Result<> catalogue_backup(sqlite::Database& database, const BackupOrder& order, const std::string& origin,
                          const BackupOutcome& outcome, const OperationEvidence& evidence, TimeMs now) {
    BackupRow row;
    row.backup_id = order.backup_id;
    row.created_at = order.created_at;
    row.completed_at = {now};
    row.cluster = order.environment.cluster.value_or("");
    row.database = order.environment.database;
    row.scope = order.scope;
    row.trigger = order.trigger;
    row.label = order.label;
    row.origin = origin;
    row.status = status_by(evidence);
    row.folder = outcome.folder;
    row.size_bytes = outcome.size_bytes;
    row.environment = order.environment;
    row.manifest = slim_manifest(outcome.manifest);
    for (const DestinationOrder& destination : order.destinations) {
        if (holds_all(evidence, destination.id)) row.destination_ids.push_back(destination.id);
    }
    return BackupRepository(database).put(row);
}

Result<> catalogue_base(sqlite::Database& database, const BaseBackupOrder& order, const BaseBackupOutcome& outcome,
                        const OperationEvidence& evidence) {
    EvidenceInput input;
    if (evidence.plan) input.plan = *evidence.plan;
    input.phase = Phase::ended;
    input.steps = evidence.steps;
    input.copies = evidence.copies;
    const Manifest& manifest = outcome.manifest;
    WalRepository archive(database);
    WalBase row;
    row.backup_id = order.backup_id;
    row.system_id = manifest.postgres.system_id;
    row.timeline = static_cast<wal::Timeline>(manifest.postgres.timeline);
    row.start = TRY(wal::parse_lsn(manifest.postgres.start_lsn));
    row.stop = TRY(wal::parse_lsn(manifest.postgres.end_lsn));
    row.started_at = manifest.base->started_at.ms;
    row.ended_at = manifest.base->ended_at.ms;
    row.folder = outcome.folder;
    row.reason = order.reason;
    row.status = row_status(input, judge(input));
    row.size_bytes = outcome.size_bytes;
    for (const DestinationOrder& destination : order.destinations) {
        if (holds_all(evidence, destination.id)) row.destination_ids.push_back(destination.id);
    }
    return archive.put_base(row);
}

Result<> forget_archived(sqlite::Database& database, const Manifest& base, const wal::Disposal& gone,
                         const std::vector<std::string>& stored) {
    const std::string& system_id = base.postgres.system_id;
    sqlite::Transaction transaction = TRY(sqlite::Transaction::begin(database));
    WalRepository archive(database);
    for (const WalBase& row : TRY(archive.bases(system_id))) {
        const bool is_stored = std::find(stored.begin(), stored.end(), row.backup_id) != stored.end();
        const bool goes = std::find(gone.bases.begin(), gone.bases.end(), row.backup_id) != gone.bases.end();
        if (goes || !is_stored) TRY(archive.remove_base(row.backup_id));
    }
    if (gone.segments_before) {
        const std::uint64_t number = *gone.segments_before / base.base->segment_bytes;
        TRY(archive.remove_lacks(system_id, wal::segment_name(1, number, base.base->segment_bytes).substr(8)));
        for (const wal::Timeline timeline : TRY(archive.timelines(system_id))) {
            TRY(archive.remove_segments(system_id, timeline, number));
            TRY(archive.remove_gaps_before(system_id, timeline, *gone.segments_before));
        }
    }
    return transaction.commit();
}

Result<> catalogue_snapshot(sqlite::Database& database, const std::string& snapshot_id,
                            const OperationEvidence& evidence) {
    return SnapshotRepository(database).set_status(snapshot_id, status_by(evidence));
}

Result<bool> catalogue_survivor(sqlite::Database& database, OperationEvidence& evidence, TimeMs now) {
    SnapshotRepository snapshots(database);
    const std::string& id = evidence.operation_id;
    const auto row = TRY(snapshots.find(id));
    if (!row || row->status == "running") return false;
    std::set<std::string> whole;
    for (const CopyRecord& copy : evidence.copies) {
        if (copy.destination_id != kHostPlace && holds_all(evidence, copy.destination_id)) {
            whole.insert(copy.destination_id);
        }
    }
    TRY(snapshots.add_destinations(id, {whole.begin(), whole.end()}));
    for (StepRecord& step : evidence.steps) {
        if (step.name != step::kCatalogCommit || step.status == StepStatus::completed) continue;
        step.status = StepStatus::completed;
        step.summary = "found committed when the agent came back";
        step.proofs = {"catalog:row"};
        step.reason.clear();
        step.output.clear();
        TRY(EvidenceRepository(database).step(id, step, now));
    }
    if (row->status != "deleting") TRY(catalogue_snapshot(database, id, evidence));
    return true;
}

Result<> catalogue_copies(sqlite::Database& database, const std::vector<FoundCopy>& found) {
    SnapshotRepository snapshots(database);
    for (const FoundCopy& copy : found) {
        const std::string id = copy.folder.substr(copy.folder.rfind('/') + 1);
        TRY(snapshots.add_destinations(id, {copy.destination_id}));
    }
    return {};
}

Result<> catalogue_copy(sqlite::Database& database, const CopyOrder& order) {
    BackupRepository backups(database);
    auto row = TRY(known(backups, order.backup_id));
    if (!row) return {};
    for (const DestinationOrder& target : order.to) {
        auto& ids = row->destination_ids;
        if (std::find(ids.begin(), ids.end(), target.id) == ids.end()) ids.push_back(target.id);
    }
    return backups.set_destinations(row->backup_id, row->destination_ids, std::string(kCompleted));
}

Result<> catalogue_deletion(sqlite::Database& database, const DeleteOrder& order) {
    BackupRepository backups(database);
    auto row = TRY(known(backups, order.backup_id));
    if (!row) return {};
    for (const DestinationOrder& gone : order.destinations) std::erase(row->destination_ids, gone.id);
    if (row->destination_ids.empty()) return backups.remove(row->backup_id);
    return backups.set_destinations(row->backup_id, row->destination_ids, row->status);
}

}  // namespace backstay
