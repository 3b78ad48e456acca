#include "agent/state/backups.h"

#include <fmt/format.h>

namespace backstay {
namespace {

constexpr std::string_view kColumns =
    "backup_id, created_at, completed_at, cluster, database, scope, trigger_name, label, origin, status, folder, "
    "size_bytes, environment_json, manifest_json, destinations_json";

Result<BackupRow> row_of(sqlite::Statement& row) {
    BackupRow backup;
    backup.backup_id = row.text(0);
    backup.created_at = {row.integer(1)};
    backup.completed_at = {row.integer(2)};
    backup.cluster = row.text(3);
    backup.database = row.text(4);
    backup.scope = row.text(5);
    backup.trigger = row.text(6);
    backup.label = row.optional_text(7);
    backup.origin = row.text(8);
    backup.status = row.text(9);
    backup.folder = row.text(10);
    backup.size_bytes = static_cast<std::uint64_t>(row.integer(11));
    backup.environment = TRY(json::decode_text<EnvironmentOrder>(row.text(12), json::kLenient));
    backup.manifest = TRY(json::decode_text<json::Object>(row.text(13)));
    backup.destination_ids = TRY(json::decode_text<std::vector<std::string>>(row.text(14)));
    return backup;
}

Result<std::vector<BackupRow>> rows_of(sqlite::Statement statement) {
    std::vector<BackupRow> backups;
    while (TRY(statement.step())) backups.push_back(TRY(row_of(statement)));
    return backups;
}

}  // namespace

Result<> BackupRepository::put(const BackupRow& backup) {
    const std::string environment = json::encode_text(backup.environment);
    const std::string manifest = json::encode_text(backup.manifest);
    const std::string destinations = json::encode_text(backup.destination_ids);
    TRY(database_.run(fmt::format("INSERT OR REPLACE INTO backups ({}) "
                                  "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                                  kColumns),
                      {backup.backup_id, backup.created_at.ms, backup.completed_at.ms, backup.cluster, backup.database,
                       backup.scope, backup.trigger, backup.label, backup.origin, backup.status, backup.folder,
                       backup.size_bytes, environment, manifest, destinations}));
    return {};
}

Result<BackupRow> BackupRepository::look_up(const std::string& text) {
    auto found = TRY(rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM backups WHERE substr(backup_id, 1, length($1)) = $1 LIMIT 2", kColumns), {text}))));
    if (found.empty() || text.empty()) return Error(Errc::not_found, fmt::format("there is no backup \"{}\"", text));
    if (found.size() > 1) return Error(Errc::conflict, fmt::format("several backups begin with \"{}\"", text));
    return std::move(found.front());
}

Result<std::vector<BackupRow>> BackupRepository::newest(const std::string& database, std::size_t limit) {
    return rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM backups WHERE $1 = '' OR database = $1 ORDER BY created_at DESC LIMIT $2",
                    kColumns),
        {database, limit})));
}

Result<std::vector<BackupRow>> BackupRepository::last_of_each() {
    return rows_of(TRY(database_.query(fmt::format(
        "SELECT {} FROM backups WHERE backup_id IN (SELECT backup_id FROM (SELECT backup_id, row_number() OVER "
        "(PARTITION BY cluster, database ORDER BY created_at DESC, rowid DESC) AS place FROM backups) "
        "WHERE place = 1) ORDER BY created_at DESC",
        kColumns))));
}

Result<std::optional<BackupRow>> BackupRepository::last(const std::string& cluster, const std::string& database,
                                                        std::string_view scope) {
    auto rows = TRY(rows_of(TRY(database_.query(
        fmt::format("SELECT {} FROM backups WHERE database = $1 AND (cluster = $2 OR $2 = '' OR cluster = '') "
                    "AND (scope = 'full' OR $3 = 'db') ORDER BY created_at DESC, rowid DESC LIMIT 1",
                    kColumns),
        {database, cluster, scope}))));
    return rows.empty() ? std::optional<BackupRow>() : std::optional<BackupRow>(std::move(rows.front()));
}

Result<> BackupRepository::set_destinations(const std::string& backup_id, const std::vector<std::string>& ids,
                                            const std::string& status) {
    const std::string text = json::encode_text(ids);
    TRY(database_.run("UPDATE backups SET destinations_json = $1, status = $2 WHERE backup_id = $3",
                      {text, status, backup_id}));
    return {};
}

Result<> BackupRepository::remove(const std::string& backup_id) {
    TRY(database_.run("DELETE FROM backups WHERE backup_id = $1", {backup_id}));
    return {};
}

}  // namespace backstay
