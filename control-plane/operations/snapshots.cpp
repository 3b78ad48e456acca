#include "control-plane/operations/snapshots.h"

#include <fmt/format.h>

#include "common/json/json.h"
#include "control-plane/store/rows.h"
#include "control-plane/store/where.h"

namespace backstay::operations {
namespace {

using store::all_rows;
using store::count_of;

constexpr std::string_view kColumns =
    "id, organization_id, project_id, environment_id, agent_id, trigger_kind, status, label, deployment_id, "
    "commit_sha, image_tag, failure_policy, destination_ids, remote_status, folder, database_file, filestore_file, "
    "config_file, is_full, base_id, is_pinned, pin_label, unpinned_at, created_at, started_at, completed_at, "
    "expires_at, deleted_at, size_bytes, database_bytes, filestore_bytes, error_message, performed_by, manifest";

std::optional<bool> optional_flag(const std::optional<std::int64_t>& number) {
    if (!number) return std::nullopt;
    return *number != 0;
}

std::optional<std::int64_t> number_of(const std::optional<bool>& flag) {
    if (!flag) return std::nullopt;
    return *flag ? 1 : 0;
}

Result<SnapshotRow> read_snapshot(const sql::Statement& row) {
    SnapshotRow out;
    out.id = row.text(0);
    out.organization_id = row.text(1);
    out.project_id = row.optional_text(2);
    out.environment_id = row.optional_text(3);
    out.agent_id = row.text(4);
    out.trigger_kind = row.text(5);
    out.status = row.text(6);
    out.label = row.optional_text(7);
    out.deployment_id = row.optional_text(8);
    out.commit_sha = row.optional_text(9);
    out.image_tag = row.optional_text(10);
    out.failure_policy = row.text(11);
    out.destination_ids = TRY(json::decode_text<std::vector<std::string>>(row.text(12)));
    out.remote_status = row.text(13);
    out.folder = row.text(14);
    out.database_file = row.optional_text(15);
    out.filestore_file = row.optional_text(16);
    out.config_file = row.optional_text(17);
    out.is_full = optional_flag(row.optional_integer(18));
    out.base_id = row.optional_text(19);
    out.is_pinned = row.boolean(20);
    out.pin_label = row.text(21);
    out.unpinned_at = row.optional_integer(22);
    out.created_at = row.integer(23);
    out.started_at = row.optional_integer(24);
    out.completed_at = row.optional_integer(25);
    out.expires_at = row.optional_integer(26);
    out.deleted_at = row.optional_integer(27);
    out.size_bytes = row.integer(28);
    out.database_bytes = row.integer(29);
    out.filestore_bytes = row.integer(30);
    out.error_message = row.optional_text(31);
    out.performed_by = row.text(32);
    out.manifest = row.optional_text(33);
    return out;
}

// `rest` begins behind "FROM snapshots".
Result<std::vector<SnapshotRow>> read_all(sql::Database& db, std::string_view rest,
                                          std::initializer_list<sql::Value> values) {
    const std::string sql = fmt::format("SELECT {} FROM snapshots {}", kColumns, rest);
    return all_rows(db.query(sql, values), read_snapshot);
}

Result<std::optional<SnapshotRow>> read_one(sql::Database& db, std::string_view rest,
                                            std::initializer_list<sql::Value> values) {
    auto found = TRY(read_all(db, rest, values));
    if (found.empty()) return std::optional<SnapshotRow>();
    return std::optional<SnapshotRow>(std::move(found.front()));
}

}  // namespace

Result<> insert_snapshot(sql::Database& db, const SnapshotRow& row) {
    const std::string destinations = json::encode_text(row.destination_ids);
    const std::string sql = fmt::format(
        "INSERT INTO snapshots ({}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, "
        "$17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)",
        kColumns);
    TRY(db.run(sql, {row.id,
                     row.organization_id,
                     row.project_id,
                     row.environment_id,
                     row.agent_id,
                     row.trigger_kind,
                     row.status,
                     row.label,
                     row.deployment_id,
                     row.commit_sha,
                     row.image_tag,
                     row.failure_policy,
                     destinations,
                     row.remote_status,
                     row.folder,
                     row.database_file,
                     row.filestore_file,
                     row.config_file,
                     number_of(row.is_full),
                     row.base_id,
                     row.is_pinned,
                     row.pin_label,
                     row.unpinned_at,
                     row.created_at,
                     row.started_at,
                     row.completed_at,
                     row.expires_at,
                     row.deleted_at,
                     row.size_bytes,
                     row.database_bytes,
                     row.filestore_bytes,
                     row.error_message,
                     row.performed_by,
                     row.manifest}));
    return {};
}

Result<> update_snapshot(sql::Database& db, const SnapshotRow& row) {
    static constexpr std::string_view kSql =
        "UPDATE snapshots SET status = $2, remote_status = $3, folder = $4, database_file = $5, filestore_file = $6, "
        "config_file = $7, is_full = $8, base_id = $9, is_pinned = $10, pin_label = $11, unpinned_at = $12, "
        "started_at = $13, completed_at = $14, expires_at = $15, deleted_at = $16, size_bytes = $17, database_bytes = "
        "$18, filestore_bytes = $19, error_message = $20, manifest = $21, destination_ids = $22 WHERE id = $1";
    const std::string destinations = json::encode_text(row.destination_ids);
    TRY(db.run(kSql, {row.id,
                      row.status,
                      row.remote_status,
                      row.folder,
                      row.database_file,
                      row.filestore_file,
                      row.config_file,
                      number_of(row.is_full),
                      row.base_id,
                      row.is_pinned,
                      row.pin_label,
                      row.unpinned_at,
                      row.started_at,
                      row.completed_at,
                      row.expires_at,
                      row.deleted_at,
                      row.size_bytes,
                      row.database_bytes,
                      row.filestore_bytes,
                      row.error_message,
                      row.manifest,
                      destinations}));
    return {};
}

Result<std::optional<SnapshotRow>> find_snapshot_row(sql::Database& db, std::string_view id) {
    return read_one(db, "WHERE id = $1", {id});
}

Result<std::optional<SnapshotRow>> find_snapshot(sql::Database& db, std::string_view organization_id,
                                                 std::string_view id) {
    return read_one(db, "WHERE id = $1 AND organization_id = $2 AND deleted_at IS NULL", {id, organization_id});
}

Result<SnapshotPage> list_snapshots(sql::Database& db, const SnapshotFilter& filter) {
    const auto narrowed = [&filter](store::Where where) {
        return where.is("organization_id", filter.organization_id)
            .is("environment_id", filter.environment_id)
            .is("project_id", filter.project_id)
            .is("status", filter.status)
            .holds("environment_id IN (SELECT id FROM environments WHERE type = $", filter.environment_type, ")");
    };
    return store::counted_page<SnapshotPage>(
        db,
        {"snapshots", kColumns, narrowed(store::Where("deleted_at IS NULL")), "snapshot_counts",
         narrowed(store::Where("true")), filter.limit, filter.offset},
        read_snapshot);
}

Result<std::int64_t> count_pinned(sql::Database& db, std::string_view environment_id) {
    return count_of(
        db.query("SELECT count(*) FROM snapshots WHERE environment_id = $1 AND is_pinned = 1 AND deleted_at IS NULL",
                 {environment_id}));
}

Result<Dependents> dependents_of(sql::Database& db, std::string_view id) {
    auto rows =
        TRY(db.query("SELECT count(*), count(expires_at), max(expires_at) FROM snapshots WHERE base_id = $1 AND "
                     "deleted_at IS NULL",
                     {id}));
    TRY(rows.step());
    Dependents out;
    out.number = rows.integer(0);
    out.one_stays = rows.integer(1) < out.number;
    out.latest = rows.optional_integer(2);
    return out;
}

Result<std::vector<std::string>> differentials_of(sql::Database& db, std::string_view id) {
    return all_rows(
        db.query("SELECT id FROM snapshots WHERE base_id = $1 AND deleted_at IS NULL ORDER BY created_at, id", {id}),
        [](const sql::Statement& row) { return row.text(0); });
}

Result<std::set<std::string>> destinations_of_differentials(sql::Database& db, std::string_view id) {
    std::set<std::string> found;
    for (const SnapshotRow& row : TRY(read_all(db, "WHERE base_id = $1", {id}))) {
        found.insert(row.destination_ids.begin(), row.destination_ids.end());
    }
    return found;
}

Result<> recompute_expiry(sql::Database& db, std::string_view environment_id, std::int64_t retention_days) {
    for (SnapshotRow& row : TRY(read_all(db, "WHERE environment_id = $1 AND deleted_at IS NULL", {environment_id}))) {
        row.expires_at = own_expiry({row.completed_at, row.is_pinned, row.unpinned_at, retention_days});
        TRY(update_snapshot(db, row));
    }
    return {};
}

Result<std::vector<SnapshotRow>> expired_snapshots(sql::Database& db, TimeMs now, std::int64_t limit) {
    return read_all(
        db,
        "WHERE expires_at <= $1 AND is_pinned = 0 AND deleted_at IS NULL AND status IN ('completed', 'partial', "
        "'failed', 'cancelled') AND NOT EXISTS (SELECT 1 FROM snapshots d WHERE d.base_id = snapshots.id AND "
        "d.deleted_at IS NULL) AND NOT EXISTS (SELECT 1 FROM rollbacks r WHERE (r.snapshot_id = snapshots.id OR "
        "r.safety_snapshot_id = snapshots.id) AND r.status IN ('pending', 'running')) ORDER BY expires_at, id LIMIT $2",
        {now, limit});
}

}  // namespace backstay::operations
