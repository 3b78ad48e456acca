#include "common/domain/layout.h"

#include <fmt/format.h>

#include "common/domain/steps.h"

namespace backstay::layout {

std::string backup_folder(const Owner& owner, TimeMs created_at, std::string_view backup_id) {
    const std::string day = to_rfc3339(created_at);  // "2026-01-02T…"
    return fmt::format("v1/{}/{}/{}/backups/{}/{}/{}/{}", owner.organization_id, owner.project_id, owner.environment_id,
                       day.substr(0, 4), day.substr(5, 2), day.substr(8, 2), backup_id);
}

std::string snapshot_folder(const Owner& owner, std::string_view snapshot_id) {
    return fmt::format("v1/{}/{}/{}/snapshots/{}", owner.organization_id, owner.project_id, owner.environment_id,
                       snapshot_id);
}

std::string cluster_folder(std::string_view organization_id, std::string_view system_id) {
    return fmt::format("v1/{}/clusters/{}", organization_id, system_id);
}

std::string base_folder(std::string_view cluster_folder, std::string_view backup_id) {
    return fmt::format("{}/base/{}", cluster_folder, backup_id);
}

std::string artifact_file(std::string_view name, bool parallel_dump, bool encrypted) {
    if (name == artifact::kManifest) return "manifest.json";
    std::string file;
    if (name == artifact::kDatabase) {
        file = parallel_dump ? "database.tar.zst" : "database.dump.zst";
    } else if (name == artifact::kGlobals) {
        file = "globals.sql.zst";
    } else if (name == artifact::kBackupManifest) {
        file = "backup_manifest.zst";
    } else {
        file = fmt::format("{}.tar.zst", name);
    }
    return encrypted ? file + ".enc" : file;
}

std::string differential_file(bool encrypted) {
    return encrypted ? "filestore.diff.tar.zst.enc" : "filestore.diff.tar.zst";
}

}  // namespace backstay::layout
