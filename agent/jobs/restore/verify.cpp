#include <fmt/format.h>

#include "agent/jobs/restore/drill.h"
#include "agent/jobs/restore/folders.h"
#include "agent/jobs/restore/verification.h"
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
        backup_ =
            TRY(restore::open_backup(order_.destinations, order_.folder, order_.backup_id, host_, steps_.stop_token()));
        Testimony testimony;
        testimony.summary = fmt::format("manifest of {} with {} artifacts", backup_.manifest.backup_id,
                                        backup_.manifest.artifacts.size());
        testimony.proofs = {"manifest:readback"};
        return testimony;
    }

    // The state of one artifact in one destination, as evidence.
    Result<> record(const ArtifactOrigin& origin, const ManifestArtifact& artifact, const Result<>& checked) {
        CopyRecord copy;
        copy.destination_id = origin.destination_id;
        copy.artifact = artifact.name;
        copy.key = fmt::format("{}/{}", order_.folder, artifact.path);
        copy.sha256 = artifact.sha256;
        copy.size_bytes = artifact.bytes;
        copy.state = CopyState::verified;
        if (!checked) {
            copy.state = checked.error().code() == Errc::not_found   ? CopyState::missing
                         : checked.error().code() == Errc::corrupted ? CopyState::corrupt
                                                                     : CopyState::uploaded;
            copy.message = checked.error().message();
            copy.reason = copy.state == CopyState::missing   ? reason::kRemoteMissing
                          : copy.state == CopyState::corrupt ? reason::kRemoteCorrupt
                                                             : std::string_view(checked.error().reason());
        }
        return steps_.copied(copy);
    }

    Result<Testimony> read_back() {
        std::uint64_t bytes = 0;
        for (const ManifestArtifact& artifact : backup_.manifest.artifacts) bytes += artifact.bytes;
        steps_.progress().set_total(step::kVerifyArtifacts, bytes * order_.destinations.size());
        std::vector<ArtifactOrigin> sound;
        std::optional<Error> first;
        const auto take_fault = [&](Error error, const std::string& destination) {
            error.add_context(destination);
            if (first) {
                first->followed_by(error);
            } else {
                first = std::move(error);
            }
        };
        for (const ArtifactOrigin& origin : backup_.origins.list) {
            bool whole = true;
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
