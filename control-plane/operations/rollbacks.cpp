#include <fmt/format.h>

#include "control-plane/operations/history.h"
#include "control-plane/operations/snapshots.h"
#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

using store::all_rows;
using store::first_row;
using store::newest_page;

constexpr std::string_view kColumns =
    "id, organization_id, snapshot_id, source_environment_id, target_environment_id, agent_id, deployment_id, status, "
    "created_at, started_at, completed_at, keep_until, error_message, safety_snapshot_id, safety_snapshot_created, "
    "neutralization_triggered, performed_by";

RollbackRow read_rollback(const sql::Statement& row) {
    RollbackRow out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.snapshot_id = row.text(2);
    out.source_environment_id = row.optional_text(3);
    out.target_environment_id = row.optional_text(4);
    out.agent_id = row.text(5);
    out.deployment_id = row.optional_text(6);
    out.status = row.text(7);
    out.created_at = row.integer(8);
    out.started_at = row.optional_integer(9);
    out.completed_at = row.optional_integer(10);
    out.keep_until = row.optional_integer(11);
    out.error_message = row.optional_text(12);
    out.safety_snapshot_id = row.optional_text(13);
    out.safety_snapshot_created = row.boolean(14);
    out.neutralization_triggered = row.boolean(15);
    out.performed_by = row.text(16);
    return out;
}

}  // namespace

Result<> insert_rollback(sql::Database& db, const RollbackRow& row) {
    const std::string sql = fmt::format(
        "INSERT INTO rollbacks ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
        "$17)",
        kColumns);
    TRY(db.run(sql, {row.id, row.organization_id, row.snapshot_id, row.source_environment_id, row.target_environment_id,
                     row.agent_id, row.deployment_id, row.status, row.created_at, row.started_at, row.completed_at,
                     row.keep_until, row.error_message, row.safety_snapshot_id, row.safety_snapshot_created,
                     row.neutralization_triggered, row.performed_by}));
    return {};
}

Result<> update_rollback(sql::Database& db, const RollbackRow& row) {
    static constexpr std::string_view kSql =
        "UPDATE rollbacks SET status = $2, started_at = $3, completed_at = $4, keep_until = $5, error_message = $6, "
        "safety_snapshot_id = $7, safety_snapshot_created = $8, neutralization_triggered = $9 WHERE id = $1";
    TRY(db.run(kSql, {row.id, row.status, row.started_at, row.completed_at, row.keep_until, row.error_message,
                      row.safety_snapshot_id, row.safety_snapshot_created, row.neutralization_triggered}));
    return {};
}

Result<std::optional<RollbackRow>> find_rollback_row(sql::Database& db, std::string_view id) {
    const std::string sql = fmt::format("SELECT {} FROM rollbacks WHERE id = $1", kColumns);
    return first_row(db.query(sql, {id}), read_rollback);
}

Result<std::optional<RollbackRow>> find_rollback(sql::Database& db, std::string_view organization_id,
                                                 std::string_view id) {
    const std::string sql = fmt::format("SELECT {} FROM rollbacks WHERE id = $1 AND organization_id = $2", kColumns);
    return first_row(db.query(sql, {id, organization_id}), read_rollback);
}

Result<std::vector<RollbackRow>> rollbacks_to(sql::Database& db, std::string_view snapshot_id) {
    const std::string sql = fmt::format(
        "SELECT {} FROM rollbacks WHERE snapshot_id = $1 ORDER BY created_at DESC, id DESC LIMIT 100", kColumns);
    return all_rows(db.query(sql, {snapshot_id}), read_rollback);
}

Result<std::optional<std::string>> rollback_using(sql::Database& db, std::string_view snapshot_id) {
    return first_row(db.query("SELECT id FROM rollbacks WHERE (snapshot_id = $1 OR safety_snapshot_id = $1) AND status "
                              "IN ('pending', 'running') LIMIT 1",
                              {snapshot_id}),
                     [](const sql::Statement& row) { return row.text(0); });
}

Result<> name_safety_snapshot(sql::Database& db, std::string_view rollback_id, std::string_view snapshot_id) {
    TRY(db.run("UPDATE rollbacks SET safety_snapshot_id = $2 WHERE id = $1", {rollback_id, snapshot_id}));
    return {};
}

Result<> note_safety_snapshot(sql::Database& db, std::string_view snapshot_id) {
    TRY(db.run("UPDATE rollbacks SET safety_snapshot_created = 1 WHERE safety_snapshot_id = $1", {snapshot_id}));
    return {};
}

Result<RollbackPage> list_rollbacks(sql::Database& db, std::string_view organization_id,
                                    std::string_view environment_id, std::int64_t limit, std::int64_t offset,
                                    std::string_view project_id) {
    return newest_page<RollbackPage>(db, kColumns, of_environment("rollbacks"),
                                     {organization_id, environment_id, project_id}, limit, offset, read_rollback);
}

}  // namespace backstay::operations
