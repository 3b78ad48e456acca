#include <fmt/format.h>

#include "agent/jobs/restore/drill.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/verification.h"
#include "common/crypto/digest.h"
#include "common/domain/reasons.h"

namespace backstay {
namespace {

using restore::OpenedBackup;

class Verification {
public:
    Verification(const VerifyOrder& order, const JobHost& host, Steps& steps)
        : order_(order), host_(host), steps_(steps) {}

    Result<VerifyOutcome> run() {
        TRY(steps_.plan(plan_verification(order_.drill)));
        TRY(steps_.run(step::kFetchArtifacts, [&] { return fetch(); }));
        TRY(steps_.run(step::kVerifyArtifacts, [&] { return read_back(); }));
        TRY(steps_.run(step::kStructureCheck, [&] { return check_structure(); }));
        if (order_.drill) TRY(restore::Drill(order_, host_, steps_, backup_, cluster_, scratch()).run());
        return VerifyOutcome{backup_.manifest};
    }

private:
    std::string scratch() const {
        const std::string base =
            host_.config.scratch_dir.empty() ? host_.config.state_dir + "/scratch" : host_.config.scratch_dir;
        return fmt::format("{}/verify-{}", base, order_.verification_id);
    }

    Result<Testimony> fetch() {
        auto opened =
            restore::open_backup(order_.destinations, order_.folder, order_.backup_id, host_, steps_.stop_token());
        if (!opened) return judge_unreadable(std::move(opened).error());
        backup_ = std::move(*opened);
        Testimony testimony;
        testimony.summary = fmt::format("manifest of {} with {} artifacts", backup_.manifest.backup_id,
                                        backup_.manifest.artifacts.size());
        testimony.proofs = {"manifest:readback"};
        return testimony;
    }

    // No manifest could be read anywhere. Only when each destination was asked and denies it, the backup is lost; who
    // could not be asked may still have it.
    Error judge_unreadable(Error error) {
        if (error.code() == Errc::cancelled) return error;
        const auto unsure = [&error] {
            return Error(Errc::unavailable, error.message()).with_reason(reason::kDestinationUnreachable);
        };
        const auto origins = restore::open_origins(order_.destinations, host_, steps_.stop_token());
        if (!origins || origins->list.size() < order_.destinations.size()) return unsure();
        for (const ArtifactOrigin& origin : origins->list) {
            const Result<> checked = check_manifest(origin);
            if (checked || !denies(checked.error())) return unsure();
        }
        error.add_reason(reason::kRemoteCorrupt);
        return error;
    }

    static bool denies(const Error& error) {
        return error.code() == Errc::not_found || error.code() == Errc::corrupted;
    }

    // The state of one artifact in one destination, as evidence. What could not be looked at stays what it was.
    Result<> record(const ArtifactOrigin& origin, const ManifestArtifact& artifact, const Result<>& checked) {
        if (!checked && !denies(checked.error())) return {};
        CopyRecord copy;
        copy.destination_id = origin.destination_id;
        copy.artifact = artifact.name;
        copy.key = fmt::format("{}/{}", order_.folder, artifact.path);
        copy.sha256 = artifact.sha256;
        copy.size_bytes = artifact.bytes;
        copy.state = CopyState::verified;
        if (!checked) {
            const bool missing = checked.error().code() == Errc::not_found;
            copy.state = missing ? CopyState::missing : CopyState::corrupt;
            copy.reason = missing ? reason::kRemoteMissing : reason::kRemoteCorrupt;
            copy.message = checked.error().message();
        }
        return steps_.copied(copy);
    }

    // A destination's own manifest: without it nothing there counts as a backup.
    Result<> check_manifest(const ArtifactOrigin& origin) {
        ManifestArtifact about;
        about.name = artifact::kManifest;
        about.path = "manifest.json";
        const auto text = restore::fetch_manifest_text(*origin.storage, order_.folder);
        if (text) {
            about.sha256 = digest_hex(DigestKind::sha256, as_bytes(*text));
            about.bytes = text->size();
        }
        const auto read =
            text ? restore::read_manifest_of(*text, order_.folder, order_.backup_id) : Result<Manifest>(text.error());
        const Result<> checked = read ? Result<>() : Result<>(read.error());
        TRY(record(origin, about, checked));
        return checked;
    }

    Result<Testimony> read_back() {
        std::uint64_t bytes = 0;
        for (const ManifestArtifact& artifact : backup_.manifest.artifacts) bytes += artifact.bytes;
        steps_.progress().set_total(step::kVerifyArtifacts, bytes * order_.destinations.size());
        std::vector<ArtifactOrigin> sound;
        std::optional<Error> first;
        const auto take_fault = [&](Error error, const std::string& destination) {
            error.add_context(destination);
            if (first && (denies(*first) || !denies(error))) {
                first->followed_by(error);
                return;
            }
            // Damage says more than a destination that is away.
            if (first) error.followed_by(*first);
            first = std::move(error);
        };
        for (const ArtifactOrigin& origin : backup_.origins.list) {
            auto manifest = check_manifest(origin);
            if (!manifest && manifest.error().code() == Errc::cancelled) return std::move(manifest).error();
            bool whole = manifest.has_value();
            if (!manifest) take_fault(std::move(manifest).error(), origin.destination_id);
            for (const ManifestArtifact& artifact : backup_.manifest.artifacts) {
                auto checked = check_stored(origin, order_.folder, artifact, [this](std::uint64_t count) {
                    steps_.progress().add(step::kVerifyArtifacts, count);
                });
                if (!checked && checked.error().code() == Errc::cancelled) return std::move(checked).error();
                TRY(record(origin, artifact, checked));
                if (checked) continue;
                whole = false;
                take_fault(std::move(checked).error(), origin.destination_id);
            }
            if (whole) sound.push_back(origin);
        }
        if (first) return std::move(*first);
        if (backup_.origins.list.size() < order_.destinations.size()) {
            return Error(Errc::unavailable, "not every destination could be opened")
                .with_reason(reason::kDestinationUnreachable);
        }
        backup_.origins.list = std::move(sound);
        Testimony testimony;
        testimony.summary = fmt::format("SHA-256 of {} artifacts ({} bytes) equal at {} destination(s)",
                                        backup_.manifest.artifacts.size(), bytes, order_.destinations.size());
        testimony.facts = {{"stored_bytes", std::to_string(bytes)}};
        return testimony;
    }

    Result<Testimony> check_structure() {
        const Manifest& manifest = backup_.manifest;
        cluster_ = TRY(find_cluster(host_.config, order_.environment.cluster));
        const Tool tool = TRY(find_tool(cluster_, "pg_restore", manifest.postgres.server_version_num));
        const std::uint64_t entries = TRY(restore::count_toc_entries(backup_, tool, scratch(), steps_.stop_token()));
        TRY(restore::remove_folder(scratch()));
        Testimony testimony;
        testimony.summary = fmt::format("{} TOC entries", entries);
        testimony.facts = {{"toc_entries", std::to_string(entries)}};
        if (manifest.filestore) TRY(check_filestore(testimony));
        for (const ManifestArtifact& artifact : manifest.artifacts) {
            if (artifact.name == artifact::kDatabase || artifact.name == artifact::kFilestore) continue;
            TRY(restore::unpack_to_nothing(backup_, artifact));
        }
        testimony.proofs = {"db_toc:entries"};
        return testimony;
    }

    Result<> check_filestore(Testimony& testimony) {
        const restore::ArchiveSeen seen = TRY(restore::look_through_filestore(backup_, names_, steps_.stop_token()));
        const ManifestFilestore& said = *backup_.manifest.filestore;
        if (seen.files != said.file_count) {
            return Error(Errc::corrupted, fmt::format("the filestore's archive has {} files, the manifest says {}",
                                                      seen.files, said.file_count))
                .with_reason(reason::kStructureInvalid);
        }
        if (seen.damaged > said.missing_count) {
            return Error(Errc::corrupted, fmt::format("{} files have content that their names deny", seen.damaged))
                .with_reason(reason::kFilestoreInconsistent);
        }
        testimony.summary += fmt::format(", {} files with the content that their names state", seen.files);
        testimony.facts["files"] = std::to_string(seen.files);
        return {};
    }

    const VerifyOrder& order_;
    const JobHost& host_;
    Steps& steps_;
    OpenedBackup backup_;
    ClusterConfig cluster_;
    restore::NameSet names_;
};

}  // namespace

Result<VerifyOutcome> run_verify(const VerifyOrder& order, const JobHost& host, Steps& steps) {
    return Verification(order, host, steps).run();
}

}  // namespace backstay
