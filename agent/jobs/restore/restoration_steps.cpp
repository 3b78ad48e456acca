#include <fmt/format.h>

#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/neutralize.h"
#include "agent/jobs/restore/restoration.h"
#include "common/domain/reasons.h"

namespace backstay::restore {

Result<Testimony> Restoration::validate() {
    if (target_fault_) return std::move(*target_fault_);
    // A moment that cannot be reached is refused first of all.
    if (order_.pitr && backup_fault_) return std::move(*backup_fault_);
    static const Manifest kUnknown;
    const Manifest& manifest = backup_ ? backup_->manifest : kUnknown;
    Testimony testimony = TRY(check_target(*target_, manifest, with_database(), *cluster_, steps_.stop_token()));
    if (with_database()) {
        pg_restore_ = TRY(find_tool(target_->cluster, "pg_restore", target_->server_version_num));
        testimony.facts["pg_restore"] = pg_restore_->version;
    }
    if (neutral_into_production()) {
        testimony.facts[fmt::format("missing {}", kSourceNeutralized)] =
            "the backup is of a neutralized copy: crons, mail and payments are off";
    }
    return testimony;
}

Result<Testimony> Restoration::find_backup() {
    if (backup_fault_) return std::move(*backup_fault_);
    std::vector<std::string> needed;
    if (with_database()) needed.emplace_back(artifact::kDatabase);
    if (with_filestore()) needed.emplace_back(artifact::kFilestore);
    if (needed.empty()) {
        return Error(Errc::invalid, "the backup has no filestore to restore").with_reason(reason::kArtifactMissing);
    }
    if (base_ && with_filestore()) {
        TRY(find_artifacts(*base_, {std::string(artifact::kFilestore)}).context("the full snapshot that it builds on"));
    }
    return find_artifacts(*backup_, needed);
}

Result<Testimony> Restoration::verify_artifacts() {
    Testimony testimony;
    if (!with_database() || order_.pitr) {
        testimony.summary = "the filestore's SHA-256 is proven while it is written";
        return testimony;
    }
    const ManifestArtifact* database = find_artifact(backup_->manifest, artifact::kDatabase);
    steps_.progress().set_total(step::kVerifyArtifacts, database->bytes);
    const OnStoredBytes count = [this](std::uint64_t bytes) { steps_.progress().add(step::kVerifyArtifacts, bytes); };
    TRY(with_sound_origin(backup_->origins, [&](const std::vector<ArtifactOrigin>& origins) -> Result<> {
        dump_ = TRY(fetch_dump(origins, *backup_, target_->scratch, *pg_restore_, steps_.stop_token(), count));
        return {};
    }));
    testimony.summary = fmt::format("database: SHA-256 as in the manifest, {} TOC entries{}", dump_->entries,
                                    with_filestore() ? "; the filestore's is proven while it is written" : "");
    testimony.facts = {{"toc_entries", std::to_string(dump_->entries)},
                       {"sha256", database->sha256},
                       {"dump_bytes", std::to_string(dump_->bytes)}};
    testimony.proofs = {"checksum:db", "db_toc:entries"};
    return testimony;
}

Result<Testimony> Restoration::make_safety_backup() {
    auto made = safety_backup_(*order_.safety_backup);
    if (!made) {
        Error error = std::move(made).error();
        // Whatever went wrong with it, what the restore lacks is the safety copy.
        Error missing(error.code(), error.message());
        missing.add_fact("safety_backup_reason", error.reason());
        return std::move(missing).with_reason(reason::kSafetyCopyFailed);
    }
    outcome_.safety_backup_id = order_.safety_backup->backup_id;
    Testimony testimony;
    testimony.summary =
        fmt::format("backup {} of the target, {} bytes", order_.safety_backup->backup_id, made->size_bytes);
    testimony.facts = {{"backup_id", order_.safety_backup->backup_id}, {"folder", made->folder}};
    testimony.proofs = {"safety_backup:id"};
    return testimony;
}

Result<Testimony> Restoration::restore_database() {
    steps_.progress().set_total(step::kRestoreDatabase, backup_->manifest.postgres.size_bytes);
    const auto grown = [this](std::uint64_t bytes) { steps_.progress().add(step::kRestoreDatabase, bytes); };
    const DatabaseMaking making{
        *target_, backup_->manifest, target_->side_database, host_.config.limits.restore_jobs, steps_.stop_token(),
        grown};
    const std::int64_t begun = steady_ms();
    const DatabaseMade made =
        TRY(make_database(making, *dump_, *pg_restore_, *cluster_).reason(reason::kRestoreFailed));
    outcome_.notes.insert(outcome_.notes.end(), made.notes.begin(), made.notes.end());
    // The unpacked dump may be as large as the database.
    TRY(remove_folder(target_->scratch));
    Testimony testimony;
    testimony.summary = fmt::format("{} entries by pg_restore {} -j{} into {}, owner {}", dump_->entries,
                                    pg_restore_->version, making.jobs, making.name, target_->owner);
    testimony.facts = {{"duration_ms", std::to_string(steady_ms() - begun)},
                       {"owner", target_->owner},
                       {"rights", std::to_string(made.grants)},
                       {"tool_version", pg_restore_->version}};
    return testimony;
}

Result<Testimony> Restoration::restore_filestore() {
    const Manifest& manifest = backup_->manifest;
    steps_.progress().set_total(step::kRestoreFilestore, manifest.filestore->size_bytes);
    FilestoreMaking making;
    making.folder = target_->side_filestore;
    making.owner = target_->file_owner;
    making.stop = work_.get_token();
    making.on_bytes = [this](std::uint64_t bytes) { steps_.progress().add(step::kRestoreFilestore, bytes); };
    admit_damage(making, *manifest.filestore);
    const ManifestArtifact* artifact = find_artifact(manifest, artifact::kFilestore);
    TRY(read_archives(making));
    if (!with_database() && target_->filestore_exists) {
        files_made_->kept = TRY(keep_newer_files(target_->filestore, target_->side_filestore));
    }
    Testimony testimony;
    testimony.summary = fmt::format("{} files, {} bytes, SHA-256 of the archive and SHA-1 of each file checked",
                                    files_made_->files, files_made_->bytes);
    testimony.facts = {{"files", std::to_string(files_made_->files)},
                       {"bytes", std::to_string(files_made_->bytes)},
                       {"damaged", std::to_string(files_made_->damaged)},
                       {"kept_from_target", std::to_string(files_made_->kept)},
                       {"sha256", artifact->sha256}};
    testimony.proofs = {"checksum:filestore"};
    return testimony;
}

Result<pq::Connection> Restoration::connect_side() {
    const std::string& name = with_database() ? target_->side_database : target_->database;
    return pq::Connection::connect(connect_parameters(target_->cluster, name), steps_.stop_token());
}

Result<Testimony> Restoration::neutralize_copy() {
    NeutralizeOptions options = neutralize_options(host_.config, target_->odoo, target_->cluster.name, order_.target);
    options.role = target_->owner;
    auto database = TRY(connect_side());
    return neutralize(database, options).reason(reason::kNeutralizeFailed);
}

Result<Testimony> Restoration::renew_uuid() {
    auto database = TRY(connect_side());
    return renew_identity(database);
}

Result<Testimony> Restoration::commit() {
    // From here on the restore stands, and what it replaced is a kept pair.
    TRY(keep_proven(swap_, note_writer()));
    // What bears the side names is nothing of ours any more.
    TRY(steps_.note(std::string(kSideNote), ""));
    Testimony testimony;
    testimony.summary = "the restore is recorded";
    testimony.proofs = {"catalog:row"};
    return testimony;
}

}  // namespace backstay::restore
