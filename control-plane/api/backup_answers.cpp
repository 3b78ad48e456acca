#include "control-plane/api/backup_answers.h"

#include <span>

#include "common/domain/copies.h"
#include "control-plane/operations/testimony.h"

namespace backstay::api {
namespace {

using operations::BackupRow;
using Text = std::optional<std::string_view>;

// As the contract names its members; views into the row.
struct BackupAnswer {
    std::string_view id;
    std::string_view backup_type;
    std::string_view status;
    Text environment_id;
    Text environment_name;
    Text environment_type;
    Timestamp created_at;
    std::optional<Timestamp> started_at;
    std::optional<Timestamp> completed_at;
    std::int64_t size_bytes = 0;
    std::optional<std::string> db_checksum;
    std::optional<std::string> filestore_checksum;
    std::optional<std::string> config_checksum;
    std::map<std::string, std::string> remote_paths;
    std::vector<std::string_view> gfs_tiers;
    Text error_message;
    // Beyond the contract.
    Text project_id;
    std::string_view trigger;
    Text label;
    std::string_view retention;
    std::string_view performed_by;
    std::optional<Timestamp> verified_at;
    std::int64_t database_bytes = 0;
    std::int64_t filestore_bytes = 0;
    std::span<const CopyRecord> copies;
    json::Written recovery_evidence;
};
BOOST_DESCRIBE_STRUCT(BackupAnswer, (),
                      (id, backup_type, status, environment_id, environment_name, environment_type, created_at,
                       started_at, completed_at, size_bytes, db_checksum, filestore_checksum, config_checksum,
                       remote_paths, gfs_tiers, error_message, project_id, trigger, label, retention, performed_by,
                       verified_at, database_bytes, filestore_bytes, copies, recovery_evidence))

// What stands beside the row.
struct Beside {
    Text environment_name;
    Text environment_type;
    std::vector<std::string_view> tiers;
};

std::optional<std::string> checksum_of(std::span<const CopyRecord> copies, std::string_view artifact) {
    for (const CopyRecord& copy : copies) {
        if (copy.artifact == artifact && !copy.sha256.empty()) return "sha256:" + copy.sha256;
    }
    return std::nullopt;
}

// Destination id → folder, of those that hold the commit marker.
std::map<std::string, std::string> remote_paths(const BackupRow& row, std::span<const CopyRecord> copies) {
    std::map<std::string, std::string> paths;
    for (const CopyRecord& copy : copies) {
        if (copy.artifact != artifact::kManifest || !is_stored(copy)) continue;
        const std::size_t slash = copy.key.rfind('/');
        const bool known = !row.folder.empty() || slash == std::string::npos;
        paths[copy.destination_id] = known ? row.folder : copy.key.substr(0, slash);
    }
    return paths;
}

std::string text_of(const BackupRow& row, Beside beside, const std::optional<operations::Testimony>& testimony,
                    std::span<const CopyRecord> copies) {
    BackupAnswer out;
    out.id = row.id;
    out.backup_type = row.scope;
    out.status = row.status;
    out.environment_id = row.environment_id;
    out.environment_name = beside.environment_name;
    out.environment_type = beside.environment_type;
    out.created_at = {row.created_at};
    out.started_at = stamp_answer(row.started_at);
    out.completed_at = stamp_answer(row.completed_at);
    out.size_bytes = row.size_bytes;
    out.db_checksum = checksum_of(copies, artifact::kDatabase);
    out.filestore_checksum = checksum_of(copies, artifact::kFilestore);
    out.config_checksum = checksum_of(copies, artifact::kConfig);
    out.remote_paths = remote_paths(row, copies);
    out.gfs_tiers = std::move(beside.tiers);
    out.error_message = row.error_message;
    out.project_id = row.project_id;
    out.trigger = row.trigger_kind;
    out.label = row.label;
    out.retention = row.retention;
    out.performed_by = row.performed_by;
    out.verified_at = stamp_answer(row.verified_at);
    out.database_bytes = row.database_bytes;
    out.filestore_bytes = row.filestore_bytes;
    out.copies = copies;
    out.recovery_evidence = evidence_text(testimony, "backup");
    constexpr std::size_t kUsualCopy = 400;
    constexpr std::size_t kUsualRest = 1400;
    std::string text;
    text.reserve(out.recovery_evidence.text.size() + kUsualCopy * copies.size() + kUsualRest);
    json::append_text(text, out);
    return text;
}

}  // namespace

Result<std::string> backup_answer(Names& names, const operations::ShownBackup& shown) {
    Beside beside{shown.environment_name, shown.environment_type, {}};
    if (shown.scheduled) beside.tiers = TRY(names.tiers_of(shown.row));
    return text_of(shown.row, std::move(beside), shown.testimony, shown.copies);
}

Result<std::vector<std::string>> backup_answers(Names& names, const std::vector<BackupRow>& rows) {
    std::vector<std::string> ids;
    std::vector<std::string> environments;
    for (const BackupRow& row : rows) {
        ids.push_back(row.id);
        if (row.environment_id) operations::add_once(environments, *row.environment_id);
    }
    TRY(names.learn(environments));
    const auto testimonies = TRY(operations::testimonies_of(names.db(), ids));
    const auto copies = TRY(operations::copies_of_each(names.db(), ids));
    std::vector<std::string> answers;
    for (const BackupRow& row : rows) {
        const auto environment = TRY(names.environment(row.environment_id));
        Beside beside;
        if (environment) beside = {environment->name, environment->type, {}};
        beside.tiers = TRY(names.tiers_of(row));
        const auto testimony = testimonies.find(row.id);
        const auto stored = copies.find(row.id);
        answers.push_back(text_of(row, std::move(beside),
                                  testimony == testimonies.end() ? std::nullopt : std::optional(testimony->second),
                                  stored == copies.end() ? std::span<const CopyRecord>() : std::span(stored->second)));
    }
    return answers;
}

}  // namespace backstay::api
