#include "agent/jobs/restore/opened_backup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/jobs/destinations.h"
#include "common/domain/layout.h"
#include "common/domain/reasons.h"
#include "common/domain/steps.h"
#include "common/log.h"

namespace backstay::restore {
namespace {

constexpr std::size_t kManifestMax = 16 << 20;

Result<Manifest> fetch_manifest(Storage& storage, const std::string& folder, const std::string& backup_id) {
    const std::string text = TRY(fetch_manifest_text(storage, folder));
    return read_manifest_of(text, folder, backup_id);
}

Result<> holds(Storage& storage, const std::string& folder, const ManifestArtifact& artifact) {
    const ObjectInfo info = TRY(storage.stat(fmt::format("{}/{}", folder, artifact.path)));
    if (info.size_bytes == artifact.bytes) return {};
    return Error(Errc::corrupted,
                 fmt::format("{} has {} bytes, the manifest says {}", artifact.path, info.size_bytes, artifact.bytes))
        .with_reason(reason::kRemoteCorrupt);
}

}  // namespace

Result<std::string> fetch_manifest_text(Storage& storage, const std::string& folder) {
    StringSink sink(kManifestMax);
    TRY(storage.get(folder + "/manifest.json", {}, sink));
    return std::move(sink.text());
}

Result<Manifest> read_manifest_of(std::string_view text, const std::string& folder, const std::string& backup_id) {
    Manifest manifest = TRY(read_manifest(text));
    if (!backup_id.empty() && manifest.backup_id != backup_id) {
        return Error(Errc::corrupted,
                     fmt::format("the manifest in {} is that of backup {}", folder, manifest.backup_id))
            .with_reason(reason::kStructureInvalid);
    }
    return manifest;
}

Result<Origins> open_origins(const std::vector<DestinationOrder>& destinations, const JobHost& host,
                             std::stop_token stop) {
    Origins origins;
    std::optional<Error> last;
    for (const DestinationOrder& order : destinations) {
        auto storage = open_destination(order, host, stop);
        if (!storage) {
            last = std::move(storage).error();
            continue;
        }
        origins.list.push_back({order.id, storage->get()});
        origins.storages.push_back(std::move(*storage));
    }
    if (!origins.list.empty()) return origins;
    if (last) return std::move(*last);
    return Error(Errc::invalid, "no destination holds this backup").with_reason(reason::kNoDestination);
}

Result<OpenedBackup> open_backup(const std::vector<DestinationOrder>& destinations, const std::string& folder,
                                 const std::string& backup_id, const JobHost& host, std::stop_token stop) {
    OpenedBackup opened;
    opened.folder = folder;
    opened.origins = TRY(open_origins(destinations, host, std::move(stop)));
    std::optional<Error> last;
    for (const ArtifactOrigin& origin : opened.origins.list) {
        auto manifest = fetch_manifest(*origin.storage, folder, backup_id);
        if (manifest) {
            opened.manifest = std::move(*manifest);
            last.reset();
            break;
        }
        last = std::move(manifest).error();
        last->add_context(fmt::format("manifest at {}", origin.destination_id));
    }
    if (last) return std::move(*last);
    const bool encrypted =
        std::any_of(opened.manifest.artifacts.begin(), opened.manifest.artifacts.end(),
                    [](const ManifestArtifact& artifact) { return artifact.encryption.has_value(); });
    if (encrypted && !host.config.encryption_key_file.empty()) {
        opened.key = TRY(StreamKey::load(host.config.encryption_key_file));
    }
    return opened;
}

Result<Testimony> find_artifacts(OpenedBackup& opened, const std::vector<std::string>& artifacts) {
    std::uint64_t bytes = 0;
    std::vector<ManifestArtifact> needed;
    for (const std::string& name : artifacts) {
        const ManifestArtifact* artifact = find_artifact(opened.manifest, name);
        if (artifact == nullptr) {
            return Error(Errc::not_found, fmt::format("the backup has no artifact '{}'", name))
                .with_reason(reason::kArtifactMissing);
        }
        if (artifact->encryption && !opened.key) {
            return Error(Errc::denied, fmt::format("{} is encrypted under key {}, and this host has no key file",
                                                   artifact->path, key_id_of(*artifact)))
                .with_reason(reason::kEncryptionKeyMissing);
        }
        bytes += artifact->bytes;
        needed.push_back(*artifact);
    }
    std::vector<ArtifactOrigin> good;
    std::optional<Error> last;
    for (const ArtifactOrigin& origin : opened.origins.list) {
        Result<> whole;
        for (const ManifestArtifact& artifact : needed) {
            if (whole) whole = holds(*origin.storage, opened.folder, artifact);
        }
        if (whole) {
            good.push_back(origin);
            continue;
        }
        log::warning("destination cannot serve the restore",
                     {{"destination", origin.destination_id}, {"error", whole.error().message()}});
        last = std::move(whole).error();
    }
    if (good.empty()) {
        if (last) return std::move(*last);
        return Error(Errc::invalid, "no destination").with_reason(reason::kNoDestination);
    }
    opened.origins.list = std::move(good);
    Testimony testimony;
    testimony.summary = fmt::format("{} ({} MB stored) at {} destination(s)", fmt::join(artifacts, ", "), bytes >> 20U,
                                    opened.origins.list.size());
    testimony.facts = {{"stored_bytes", std::to_string(bytes)},
                       {"destination", opened.origins.list.front().destination_id}};
    testimony.proofs = {"manifest:readback"};
    return testimony;
}

Result<> with_sound_origin(const Origins& origins,
                           const std::function<Result<>(const std::vector<ArtifactOrigin>&)>& read) {
    std::vector<ArtifactOrigin> left = origins.list;
    for (;;) {
        auto done = read(left);
        if (done || left.size() <= 1 || done.error().reason() != reason::kChecksumMismatch) return done;
        log::warning("damaged artifact, trying the next destination",
                     {{"destination", left.front().destination_id}, {"error", done.error().message()}});
        left.erase(left.begin());
    }
}

}  // namespace backstay::restore
