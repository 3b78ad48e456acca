#include "control-plane/operations/history.h"

#include <fmt/format.h>

#include "control-plane/store/rows.h"
#include "control-plane/store/where.h"

namespace backstay::operations {
namespace {

using store::all_rows;
using store::first_row;
using store::newest_page;

constexpr std::string_view kRestoreColumns =
    "id, organization_id, backup_id, source_environment_id, target_environment_id, agent_id, target_type, scope, "
    "status, created_at, started_at, completed_at, keep_until, undone_at, error_message, safety_backup_id, "
    "performed_by";

RestoreRow read_restore(const sql::Statement& row) {
    RestoreRow out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.backup_id = row.text(2);
    out.source_environment_id = row.optional_text(3);
    out.target_environment_id = row.optional_text(4);
    out.agent_id = row.text(5);
    out.target_type = row.text(6);
    out.scope = row.text(7);
    out.status = row.text(8);
    out.created_at = row.integer(9);
    out.started_at = row.optional_integer(10);
    out.completed_at = row.optional_integer(11);
    out.keep_until = row.optional_integer(12);
    out.undone_at = row.optional_integer(13);
    out.error_message = row.optional_text(14);
    out.safety_backup_id = row.optional_text(15);
    out.performed_by = row.text(16);
    return out;
}

}  // namespace

BackupRow read_backup(const sql::Statement& row) {
    BackupRow out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.project_id = row.optional_text(2);
    out.environment_id = row.optional_text(3);
    out.agent_id = row.text(4);
    out.scope = row.text(5);
    out.trigger_kind = row.text(6);
    out.status = row.text(7);
    out.label = row.optional_text(8);
    out.retention = row.text(9);
    out.folder = row.text(10);
    out.created_at = row.integer(11);
    out.started_at = row.optional_integer(12);
    out.completed_at = row.optional_integer(13);
    out.verified_at = row.optional_integer(14);
    out.deleted_at = row.optional_integer(15);
    out.size_bytes = row.integer(16);
    out.database_bytes = row.integer(17);
    out.filestore_bytes = row.integer(18);
    out.error_message = row.optional_text(19);
    out.performed_by = row.text(20);
    return out;
}

Result<> insert_backup(sql::Database& db, const BackupRow& row) {
    const std::string sql = fmt::format(
        "INSERT INTO backups ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
        "$18, $19, $20, $21)",
        kBackupColumns);
    TRY(db.run(sql, {row.id,          row.organization_id, row.project_id,     row.environment_id,  row.agent_id,
                     row.scope,       row.trigger_kind,    row.status,         row.label,           row.retention,
                     row.folder,      row.created_at,      row.started_at,     row.completed_at,    row.verified_at,
                     row.deleted_at,  row.size_bytes,      row.database_bytes, row.filestore_bytes, row.error_message,
                     row.performed_by}));
    return {};
}

Result<> update_backup(sql::Database& db, const BackupRow& row) {
    static constexpr std::string_view kSql =
        "UPDATE backups SET status = $2, folder = $3, started_at = $4, completed_at = $5, verified_at = $6, "
        "deleted_at = $7, size_bytes = $8, database_bytes = $9, filestore_bytes = $10, error_message = $11 "
        "WHERE id = $1";
    TRY(db.run(kSql, {row.id, row.status, row.folder, row.started_at, row.completed_at, row.verified_at, row.deleted_at,
                      row.size_bytes, row.database_bytes, row.filestore_bytes, row.error_message}));
    return {};
}

Result<std::optional<BackupRow>> find_backup_row(sql::Database& db, std::string_view id) {
    const std::string sql = fmt::format("SELECT {} FROM backups WHERE id = $1", kBackupColumns);
    return first_row(db.query(sql, {id}), read_backup);
}

Result<std::optional<BackupRow>> find_backup(sql::Database& db, std::string_view organization_id, std::string_view id) {
    const std::string sql = fmt::format(
        "SELECT {} FROM backups WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL", kBackupColumns);
    return first_row(db.query(sql, {id, organization_id}), read_backup);
}

Result<std::optional<std::string>> manifest_of(sql::Database& db, std::string_view backup_id) {
    auto rows = TRY(db.query("SELECT manifest FROM backups WHERE id = $1", {backup_id}));
    const bool found = TRY(rows.step());
    return found ? rows.optional_text(0) : std::nullopt;
}

Result<> keep_manifest(sql::Database& db, std::string_view backup_id, std::string_view manifest) {
    TRY(db.run("UPDATE backups SET manifest = $2 WHERE id = $1", {backup_id, manifest}));
    return {};
}

Result<BackupPage> list_backups(sql::Database& db, const BackupFilter& filter) {
    const auto narrowed = [&filter](store::Where where) {
        return where.is("organization_id", filter.organization_id)
            .is("environment_id", filter.environment_id)
            .is("project_id", filter.project_id)
            .is("status", filter.status)
            .is("scope", filter.scope);
    };
    return store::counted_page<BackupPage>(
        db,
        {"backups", kBackupColumns, narrowed(store::Where("deleted_at IS NULL")), "backup_counts",
         narrowed(store::Where("true")), filter.limit, filter.offset},
        read_backup);
}

Result<std::vector<BackupRow>> bases_of_agent(sql::Database& db, std::string_view agent_id) {
    const std::string sql = fmt::format(
        "SELECT {} FROM backups WHERE agent_id = $1 AND scope = 'base' AND status IN ('completed', 'partial') "
        "ORDER BY created_at",
        kBackupColumns);
    return all_rows(db.query(sql, {agent_id}), read_backup);
}

Result<std::vector<BackupRow>> full_backups_around(sql::Database& db, std::string_view environment_id, TimeMs at) {
    static constexpr std::string_view kWhere =
        "FROM backups WHERE environment_id = $1 AND scope = 'full' AND status IN ('completed', 'partial') AND "
        "deleted_at IS NULL AND ";
    const std::string before =
        fmt::format("SELECT {} {} started_at <= $2 ORDER BY started_at DESC LIMIT 1", kBackupColumns, kWhere);
    const std::string after =
        fmt::format("SELECT {} {} started_at > $2 ORDER BY started_at LIMIT 1", kBackupColumns, kWhere);
    std::vector<BackupRow> found;
    for (const std::string& sql : {before, after}) {
        const auto row = TRY(first_row(db.query(sql, {environment_id, at}), read_backup));
        if (row) found.push_back(*row);
    }
    return found;
}

Result<> insert_restore(sql::Database& db, const RestoreRow& row) {
    const std::string sql = fmt::format(
        "INSERT INTO restores ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        kRestoreColumns);
    TRY(db.run(sql,
               {row.id, row.organization_id, row.backup_id, row.source_environment_id, row.target_environment_id,
                row.agent_id, row.target_type, row.scope, row.status, row.created_at, row.started_at, row.completed_at,
                row.keep_until, row.undone_at, row.error_message, row.safety_backup_id, row.performed_by}));
    return {};
}

Result<> update_restore(sql::Database& db, const RestoreRow& row) {
    static constexpr std::string_view kSql =
        "UPDATE restores SET status = $2, started_at = $3, completed_at = $4, keep_until = $5, undone_at = $6, "
        "error_message = $7, safety_backup_id = $8 WHERE id = $1";
    TRY(db.run(kSql, {row.id, row.status, row.started_at, row.completed_at, row.keep_until, row.undone_at,
                      row.error_message, row.safety_backup_id}));
    return {};
}

Result<std::optional<RestoreRow>> find_restore_row(sql::Database& db, std::string_view id) {
    const std::string sql = fmt::format("SELECT {} FROM restores WHERE id = $1", kRestoreColumns);
    return first_row(db.query(sql, {id}), read_restore);
}

Result<std::optional<RestoreRow>> find_restore(sql::Database& db, std::string_view organization_id,
                                               std::string_view id) {
    const std::string sql =
        fmt::format("SELECT {} FROM restores WHERE id = $1 AND organization_id = $2", kRestoreColumns);
    return first_row(db.query(sql, {id, organization_id}), read_restore);
}

Result<std::optional<RestoreRow>> latest_restore_of(sql::Database& db, std::string_view organization_id,
                                                    std::string_view backup_id, std::string_view project_id) {
    const std::string sql = fmt::format(
        "SELECT {} FROM restores WHERE backup_id = $1 AND organization_id = $2 AND ($3 = '' OR target_environment_id "
        "IN (SELECT id FROM environments WHERE project_id = $3)) ORDER BY created_at DESC, id DESC LIMIT 1",
        kRestoreColumns);
    return first_row(db.query(sql, {backup_id, organization_id, project_id}), read_restore);
}

std::string of_environment(std::string_view table) {
    return fmt::format(
        "FROM {} WHERE organization_id = $1 AND (source_environment_id = $2 OR target_environment_id = $2) AND "
        "($3 = '' OR target_environment_id IN (SELECT id FROM environments WHERE project_id = $3))",
        table);
}

Result<RestorePage> list_restores(sql::Database& db, std::string_view organization_id, std::string_view environment_id,
                                  std::int64_t limit, std::int64_t offset, std::string_view project_id) {
    return newest_page<RestorePage>(db, kRestoreColumns, of_environment("restores"),
                                    {organization_id, environment_id, project_id}, limit, offset, read_restore);
}

}  // namespace backstay::operations
