// Where things lie in a destination (contract/semantics.md 2.2): a scan can attribute every object without a database.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"

namespace backstay::layout {

// Whose data it is. Hosts without a control plane use kLocal for organization and the agent's id for the project; the
// environment is then the database's name.
struct Owner {
    std::string organization_id;
    std::string project_id;
    std::string environment_id;
};

inline constexpr std::string_view kLocal = "local";

// "v1/<org>/<project>/<env>/backups/<yyyy>/<mm>/<dd>/<backupId>", the day in UTC; no trailing slash.
std::string backup_folder(const Owner& owner, TimeMs created_at, std::string_view backup_id);

// "v1/<org>/<project>/<env>/snapshots/<snapshotId>"
std::string snapshot_folder(const Owner& owner, std::string_view snapshot_id);

// "v1/<org>/clusters/<systemId>": WAL and base backups belong to a cluster, not to an environment.
std::string cluster_folder(std::string_view organization_id, std::string_view system_id);
// "<cluster folder>/base/<backupId>"
std::string base_folder(std::string_view cluster_folder, std::string_view backup_id);

// The file name of an artifact: "database.dump.zst" or "database.tar.zst", "filestore.tar.zst", "config.tar.zst",
// "globals.sql.zst", each with ".enc" when encrypted; "manifest.json" is the commit marker and is never encrypted.
std::string artifact_file(std::string_view artifact, bool parallel_dump, bool encrypted);

// The filestore artifact of a differential snapshot, "filestore.diff.tar.zst". Its first member, outside of the names
// that Odoo gives, lists every file of the snapshot, one name a line in byte order; the files that its base lacks
// follow.
std::string differential_file(bool encrypted);
inline constexpr std::string_view kOwnMembers = ".backstay/";
inline constexpr std::string_view kFileListMember = ".backstay/files";

}  // namespace backstay::layout
