// A restore to a moment: the database comes out of a recovered cluster, the files out of the archives around the moment
// and out of the filestores in use. From restore_database on it is a restore like any other.
#include <fmt/format.h>

#include "agent/jobs/restore/restoration.h"
#include "agent/odoo/location.h"
#include "common/domain/reasons.h"
#include "common/log.h"

namespace backstay::restore {
namespace {

// So many attachments without a file still leave a database worth having.
constexpr std::uint64_t kFewMissing = 20;
constexpr std::uint64_t kFewMissingOf = 20;  // or one in so many

bool are_few(const Reconciled& reconciled) {
    return reconciled.missing <= kFewMissing || reconciled.missing * kFewMissingOf <= reconciled.names;
}

}  // namespace

// In place of a backup: what is known of the moment before it is there.
void Restoration::look_at_moment() {
    if (!target_) return;
    const auto look = [&]() -> Result<> {
        OpenedBackup opened;
        Manifest& manifest = opened.manifest;
        manifest.scope = "full";
        if (target_->wants_database) {
            pitr::RecoveryOrder wish{*order_.pitr, order_.restore_id, order_.source.database, target_->cluster,
                                     target_->scratch};
            if (wish.database.empty()) wish.database = target_->database;
            recovery_ = TRY(pitr::Recovery::plan(std::move(wish), host_, steps_, work_.get_token()));
            manifest.backup_id = recovery_->base().backup_id;
            manifest.postgres.server_version_num = recovery_->base().postgres.server_version_num;
            manifest.postgres.owner = target_->owner;
            const pq::Rows size = TRY(cluster_->query(
                "SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1", {order_.source.database}));
            manifest.postgres.size_bytes = size.empty() ? recovery_->base().postgres.size_bytes
                                                        : static_cast<std::uint64_t>(TRY(size.integer(0, 0)));
        }
        if (target_->wants_filestore) manifest.filestore = ManifestFilestore{};
        backup_ = std::move(opened);
        return {};
    };
    if (auto looked = look(); !looked) backup_fault_ = std::move(looked).error();
}

// The archives of files around the moment. One that is gone is no reason to give up: what lacks is seen at the end.
Result<Testimony> Restoration::find_moment() {
    if (backup_fault_) return std::move(*backup_fault_);
    Testimony testimony;
    if (!with_filestore()) {
        testimony.summary = "the database alone";
        testimony.proofs = {"manifest:readback"};
        return testimony;
    }
    std::uint64_t bytes = 0;
    std::optional<Error> last;
    for (const PitrFilestore& wanted : order_.pitr->filestores) {
        const auto open = [&]() -> Result<OpenedBackup> {
            OpenedBackup opened =
                TRY(open_backup(wanted.destinations, wanted.folder, wanted.backup_id, host_, work_.get_token()));
            TRY(find_artifacts(opened, {std::string(artifact::kFilestore)}));
            return opened;
        };
        auto opened = open();
        if (!opened) {
            log::warning("a filestore around the moment cannot be read",
                         {{"backup", wanted.backup_id}, {"error", opened.error().message()}});
            outcome_.notes.push_back(
                fmt::format("filestore of backup {} left out: {}", wanted.backup_id, opened.error().message()));
            last = std::move(opened).error();
            continue;
        }
        if (opened->manifest.filestore) bytes += opened->manifest.filestore->size_bytes;
        moment_files_.push_back(std::move(*opened));
    }
    if (moment_files_.empty() && live_filestores().empty()) {
        if (last) return std::move(*last);
        return Error(Errc::not_found, "there is no filestore around the moment, neither stored nor in use")
            .with_reason(reason::kFilestoreMissing);
    }
    backup_->manifest.filestore->size_bytes = bytes;
    testimony.summary = fmt::format("{} archives of files around the moment", moment_files_.size());
    testimony.facts = {{"filestores", std::to_string(moment_files_.size())}, {"stored_bytes", std::to_string(bytes)}};
    testimony.proofs = {"manifest:readback"};
    return testimony;
}

// Four steps; then the dump and its manifest stand where a backup's would.
Result<> Restoration::recover() {
    TRY(steps_.note(std::string(pitr::kSidecarNote), encode_note(recovery_->place())));
    TRY(steps_.run(step::kFetchBase, [&] { return recovery_->fetch_base(); }));
    TRY(steps_.run(step::kFetchWal, [&] { return recovery_->fetch_wal(); }));
    TRY(steps_.run(step::kReplayToTarget, [&] { return recovery_->replay(); }));
    auto extracted = TRY(steps_.run(step::kExtractDatabase, [&]() -> Result<pitr::Recovery::Extracted> {
        const std::int32_t version = recovery_->base().postgres.server_version_num;
        const Tool pg_dump = TRY(find_tool(target_->cluster, "pg_dump", version));
        return recovery_->extract(pg_dump, *pg_restore_);
    }));
    TRY(steps_.note(std::string(pitr::kSidecarNote), ""));
    dump_ = std::move(extracted.dump);
    std::optional<ManifestFilestore> files = std::move(backup_->manifest.filestore);
    backup_->manifest = std::move(extracted.manifest);
    backup_->manifest.filestore = std::move(files);
    return own_new_database();
}

// A new database belongs to whom it belonged to, when that role lives here too.
Result<> Restoration::own_new_database() {
    const std::string& owner = backup_->manifest.postgres.owner;
    if (target_->database_exists || owner.empty() || owner == target_->owner) return {};
    const pq::Rows known = TRY(cluster_->query(
        "SELECT FROM pg_roles WHERE rolname = $1 AND pg_has_role(current_user, oid, 'MEMBER')", {owner}));
    if (!known.empty()) target_->owner = owner;
    return {};
}

// Where files of the moment may still be in use: at the target, and at the source when it lives on this host.
std::vector<std::string> Restoration::live_filestores() const {
    std::vector<std::string> folders;
    if (target_->filestore_exists) folders.push_back(target_->filestore);
    const auto source = odoo::locate(host_.config, target_->cluster.name, order_.source.database,
                                     order_.source.filestore, order_.source.odoo_conf);
    if (source && !source->filestore.empty() && source->filestore != target_->filestore) {
        const auto there = folder_identity(source->filestore);
        if (there && *there) folders.push_back(source->filestore);
    }
    return folders;
}

Result<Testimony> Restoration::unite_filestores() {
    steps_.progress().set_total(step::kRestoreFilestore, backup_->manifest.filestore->size_bytes);
    FilestoreMaking making;
    making.folder = target_->side_filestore;
    making.owner = target_->file_owner;
    making.stop = work_.get_token();
    making.on_bytes = [this](std::uint64_t bytes) { steps_.progress().add(step::kRestoreFilestore, bytes); };
    TRY(begin_filestore(making));
    making.add = true;
    making.damaged = &moment_damaged_;
    files_made_ = FilesMade{};
    for (const OpenedBackup& backup : moment_files_) {
        const Manifest& manifest = backup.manifest;
        making.known_damaged.clear();
        making.unnamed_damaged = 0;
        admit_damage(making, *manifest.filestore);
        FilesMade made;
        TRY(with_sound_origin(backup.origins, [&](const std::vector<ArtifactOrigin>& from) -> Result<> {
            auto reader = TRY(
                ArtifactReader::open(from, backup.folder, *find_artifact(manifest, artifact::kFilestore), backup.key));
            made = TRY(make_filestore(*reader, making));
            return {};
        }));
        files_made_->files += made.files;
        files_made_->bytes += made.bytes;
    }
    files_made_->damaged = moment_damaged_.size();
    Testimony testimony;
    testimony.summary =
        fmt::format("{} files of {} archives, each checked by its SHA-1", files_made_->files, moment_files_.size());
    testimony.facts = {{"files", std::to_string(files_made_->files)},
                       {"bytes", std::to_string(files_made_->bytes)},
                       {"damaged", std::to_string(files_made_->damaged)}};
    if (!moment_files_.empty()) testimony.proofs = {"checksum:filestore"};
    return testimony;
}

// Files that no archive around the moment has may still be in use. What lacks then is named; a few are no loss of all.
Result<> Restoration::check_moment_files(pq::Connection& database, Testimony& testimony) {
    std::uint64_t taken = 0;
    for (const std::string& live : live_filestores()) {
        TRY(drop_damaged_files(live, target_->side_filestore, moment_damaged_));
        taken += TRY(take_named_files(database, live, target_->side_filestore));
    }
    files_made_->damaged = moment_damaged_.size();
    const auto reconciled = TRY(reconcile_filestore(database, target_->side_filestore));
    const Reconciled none;
    const Reconciled& found = reconciled ? *reconciled : none;
    testimony.facts["attachment_files"] = std::to_string(found.names);
    testimony.facts["attachment_files_missing"] = std::to_string(found.missing);
    testimony.facts["kept_from_target"] = std::to_string(taken);
    if (!testimony.summary.empty()) testimony.summary += "; ";
    if (found.missing == 0 && files_made_->damaged == 0) {
        testimony.summary += fmt::format("every one of {} attachment files is there, {} of them from filestores in use",
                                         found.names - found.external, taken);
        testimony.proofs.emplace_back("filestore:reconciled");
        return {};
    }
    std::string examples;
    for (const std::string& name : found.examples) examples += (examples.empty() ? "" : ", ") + name;
    if (!are_few(found)) {
        return Error(Errc::corrupted, fmt::format("{} of {} attachments have no file around the moment, for example {}",
                                                  found.missing, found.names, examples))
            .with_reason(reason::kFilestoreInconsistent);
    }
    testimony.summary += fmt::format("{} of {} attachment files are missing", found.missing, found.names);
    testimony.facts["missing filestore:reconciled"] = fmt::format(
        "{} attachment files are in no archive around the moment and in no filestore in use, {} are damaged: {}",
        found.missing, files_made_->damaged, examples);
    return {};
}

}  // namespace backstay::restore
