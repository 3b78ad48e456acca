#include "common/domain/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/domain/lsn.h"
#include "common/domain/reasons.h"
#include "common/ids.h"
#include "common/json/json.h"

namespace backstay {
namespace {

constexpr std::size_t kManifestMax = 16 << 20;

Error refused(std::string message) {
    return Error(Errc::corrupted, "manifest: " + std::move(message)).with_reason(reason::kStructureInvalid);
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_file_name(std::string_view path) {
    if (path.empty() || path.size() > 200 || path[0] == '.') return false;
    return std::all_of(path.begin(), path.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_';
    });
}

// Sizes of segments are powers of two from 1 MiB to 1 GiB.
Result<> check_base(const Manifest& manifest) {
    const std::uint64_t segment = manifest.base->segment_bytes;
    if (segment < (1U << 20U) || segment > (1U << 30U) || (segment & (segment - 1)) != 0) {
        return refused("base.segmentBytes is not one");
    }
    const auto start = wal::parse_lsn(manifest.postgres.start_lsn);
    const auto stop = wal::parse_lsn(manifest.postgres.end_lsn);
    if (!start || !stop || *stop < *start) return refused("startLsn and endLsn are no positions in WAL");
    const auto& id = manifest.postgres.system_id;
    if (id.empty() || id.size() > 20 || id.find_first_not_of("0123456789") != std::string::npos) {
        return refused("systemId is not one");
    }
    if (manifest.postgres.timeline < 1 || manifest.postgres.timeline > UINT32_MAX)
        return refused("timeline is not one");
    return {};
}

Result<> check(const Manifest& manifest) {
    if (manifest.format != 1) return refused(fmt::format("format {} is newer than this program", manifest.format));
    if (!is_uuid(manifest.backup_id)) return refused("backupId is not a UUID");
    if (manifest.scope != "db" && manifest.scope != "full" && manifest.scope != "base") {
        return refused("scope is unknown");
    }
    if (manifest.base.has_value() != (manifest.scope == "base")) return refused("base belongs to the scope base");
    if (manifest.base) TRY(check_base(manifest));
    if (!manifest.base && manifest.dump_format != "custom" && manifest.dump_format != "directory")
        return refused("dumpFormat is unknown");
    std::set<std::string> names;
    std::set<std::string> paths = {"manifest.json"};
    for (const ManifestArtifact& artifact : manifest.artifacts) {
        if (!names.insert(artifact.name).second) return refused("an artifact is listed twice");
        if (!is_file_name(artifact.path)) return refused("an artifact's path is not a plain file name");
        if (!paths.insert(artifact.path).second) return refused("two artifacts share one file");
        if (!is_sha256(artifact.sha256)) return refused("an artifact's sha256 is not one");
    }
    return {};
}

}  // namespace

std::string write_manifest(const Manifest& manifest) {
    json::Object object = json::encode(manifest).as_object();
    if (manifest.odoo) {
        const json::Value odoo = json::encode(*manifest.odoo, json::Names::as_is);
        for (const auto& item : odoo.as_object()) {
            object.emplace(item.key(), item.value());
        }
    }
    return json::serialize_pretty(json::Value(std::move(object)));
}

Result<Manifest> read_manifest(std::string_view text) {
    if (text.size() > kManifestMax) return refused("larger than 16 MiB");
    auto value = json::parse(text);
    if (!value) return refused(value.error().message());
    auto manifest = json::decode<Manifest>(*value, json::kLenient);
    if (!manifest) return refused(manifest.error().message());
    TRY(check(*manifest));
    if (value->as_object().contains("odoo_dump")) {
        auto odoo = json::decode<OdooManifest>(
            *value, {json::Names::as_is, json::Unknown::ignore, json::Missing::keep_default});
        if (!odoo) return refused(odoo.error().message());
        manifest->odoo = std::move(*odoo);
    }
    return manifest;
}

const ManifestArtifact* find_artifact(const Manifest& manifest, std::string_view name) {
    for (const ManifestArtifact& artifact : manifest.artifacts) {
        if (artifact.name == name) return &artifact;
    }
    return nullptr;
}

}  // namespace backstay
