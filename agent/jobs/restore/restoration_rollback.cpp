// What a restoration does for snapshots: the steps of a rollback, and filestores that lie in two archives.
#include <fmt/format.h>

#include "agent/jobs/restore/file_list.h"
#include "agent/jobs/restore/restoration.h"
#include "common/domain/reasons.h"
#include "common/ids.h"

namespace backstay::restore {
namespace {

constexpr std::string_view kDifferential = "differential";

}  // namespace

OperationPlan Restoration::plan() const {
    const RestoreShape restore = shape();
    if (!way_) return plan_restore(restore);
    RollbackShape rollback;
    rollback.with_filestore = restore.with_filestore;
    rollback.safety_snapshot = restore.safety_backup;
    rollback.neutralize = restore.neutralize;
    rollback.new_uuid = restore.new_uuid;
    rollback.managed_service = restore.managed_service;
    rollback.health_check = restore.health_check;
    rollback.keep_previous = restore.keep_previous;
    return plan_rollback(rollback);
}

bool Restoration::makes_safety() const {
    // A target that holds nothing yet has nothing to save.
    const bool wanted = way_ ? static_cast<bool>(way_->make_safety) : order_.safety_backup.has_value();
    return wanted && (!target_ || target_->database_exists);
}

// The full snapshot beside it, which may lie in another place than the differential itself.
Result<> Restoration::open_base() {
    const auto& filestore = backup_->manifest.filestore;
    if (!filestore || filestore->mode != kDifferential) return {};
    if (!filestore->base_snapshot_id) {
        return Error(Errc::corrupted, "the differential snapshot names no base").with_reason(reason::kStructureInvalid);
    }
    if (!is_uuid(*filestore->base_snapshot_id)) {
        return Error(Errc::corrupted, "the differential snapshot's base is no snapshot's id")
            .with_reason(reason::kStructureInvalid);
    }
    const std::string folder = order_.folder.substr(0, order_.folder.rfind('/') + 1) + *filestore->base_snapshot_id;
    base_ = TRY(open_backup(order_.destinations, folder, *filestore->base_snapshot_id, host_, work_.get_token())
                    .context("the full snapshot that it builds on"));
    if (base_->manifest.filestore && base_->manifest.filestore->mode != kDifferential) return {};
    return Error(Errc::corrupted, fmt::format("{} is no full snapshot", *filestore->base_snapshot_id))
        .with_reason(reason::kStructureInvalid);
}

Result<Testimony> Restoration::validate_snapshot() {
    Testimony testimony = TRY(validate());
    const Testimony found = TRY(find_backup());
    testimony.summary = fmt::format("{}; {}", found.summary, testimony.summary);
    testimony.facts.insert(found.facts.begin(), found.facts.end());
    if (base_) testimony.facts["base_snapshot_id"] = base_->manifest.backup_id;
    return testimony;
}

Result<Testimony> Restoration::make_safety_snapshot() {
    auto made = way_->make_safety();
    if (!made) {
        Error error = std::move(made).error();
        Error missing(error.code(), error.message());
        missing.add_fact("safety_snapshot_reason", error.reason());
        return std::move(missing).with_reason(reason::kSafetyCopyFailed);
    }
    outcome_.safety_backup_id = made->id;
    return std::move(made->testimony);
}

// Storages serve one thread at a time, so the filestore's has its own; only from where find_backup saw it whole.
Result<Origins> Restoration::open_holders(const OpenedBackup& backup) {
    Origins origins = TRY(open_origins(order_.destinations, host_, work_.get_token()));
    std::erase_if(origins.list, [&](const ArtifactOrigin& origin) {
        return std::none_of(backup.origins.list.begin(), backup.origins.list.end(),
                            [&](const ArtifactOrigin& good) { return good.destination_id == origin.destination_id; });
    });
    return origins;
}

Result<> Restoration::read_archives(const FilestoreMaking& making) {
    if (base_) return read_two_archives(making);
    const Origins origins = TRY(open_holders(*backup_));
    return with_sound_origin(origins, [&](const std::vector<ArtifactOrigin>& from) -> Result<> {
        const ManifestArtifact* artifact = find_artifact(backup_->manifest, artifact::kFilestore);
        auto reader = TRY(ArtifactReader::open(from, backup_->folder, *artifact, backup_->key));
        files_made_ = TRY(make_filestore(*reader, making));
        return {};
    });
}

// The differential first: it leads with the list of all files, and what it holds itself is newer than the base's. Of
// the base only what the list names. Damage found at the end of either begins both anew.
Result<> Restoration::read_two_archives(const FilestoreMaking& making) {
    const Origins newer = TRY(open_holders(*backup_));
    const Origins older = TRY(open_holders(*base_));
    FileList list = TRY(FileList::create(scratch_folder(host_.config)));
    const auto read = [&](const OpenedBackup& backup, const std::vector<ArtifactOrigin>& from,
                          const FilestoreMaking& how) -> Result<FilesMade> {
        const ManifestArtifact* artifact = find_artifact(backup.manifest, artifact::kFilestore);
        auto reader = TRY(ArtifactReader::open(from, backup.folder, *artifact, backup.key));
        return make_filestore(*reader, how);
    };
    return with_sound_origin(older, [&](const std::vector<ArtifactOrigin>& from_base) -> Result<> {
        FilestoreMaking first = making;
        first.on_list = [&](Source& content) { return list.take(content); };
        FilesMade made;
        TRY(with_sound_origin(newer, [&](const std::vector<ArtifactOrigin>& from) -> Result<> {
            made = TRY(read(*backup_, from, first));
            return {};
        }));
        if (!list.taken()) {
            return Error(Errc::corrupted, "the differential's archive has no list of files")
                .with_reason(reason::kStructureInvalid);
        }
        TRY(list.rewind());
        FilestoreMaking second = making;
        second.add = true;
        second.wanted = [&](const std::string& name) { return list.holds(name); };
        admit_damage(second, *base_->manifest.filestore);
        const FilesMade more = TRY(read(*base_, from_base, second));
        files_made_ = made;
        files_made_->files += more.files;
        files_made_->bytes += more.bytes;
        files_made_->damaged += more.damaged;
        return {};
    });
}

}  // namespace backstay::restore
