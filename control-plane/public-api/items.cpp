#include "control-plane/public-api/items.h"

#include <algorithm>

#include "control-plane/api/operation_scope.h"
#include "control-plane/retention/verdicts.h"

namespace backstay::public_api {
namespace {

using api::time_answer;

json::Value bytes_answer(std::int64_t bytes, bool known) { return known ? json::Value(bytes) : json::Value(nullptr); }

// When it goes by itself; null when nothing but its number decides that.
Result<std::optional<TimeMs>> expiry_of(api::Names& names, const operations::BackupRow& row) {
    std::optional<TimeMs> none;
    if (row.retention == "permanent" || row.status == "pending" || row.status == "running") return none;
    if (row.trigger_kind != "scheduled") return std::optional<TimeMs>(row.created_at + retention::kByHandMs);
    return names.age_limit_of(row);
}

struct Figures {
    std::int64_t database = 0;
    std::int64_t filestore = 0;
    std::int64_t stored = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    std::optional<TimeMs> expires_at;
    std::optional<TimeMs> verified_at;
    std::optional<std::string> notes;
    std::optional<std::string> error;
    std::optional<std::string> environment_id;
    TimeMs created_at = 0;
};

template <class Row>
Figures figures_of(const Row& row) {
    Figures figures;
    figures.database = row.database_bytes;
    figures.filestore = row.filestore_bytes;
    figures.stored = row.size_bytes;
    figures.started_at = row.started_at;
    figures.completed_at = row.completed_at;
    figures.notes = row.label;
    figures.error = row.error_message;
    figures.environment_id = row.environment_id;
    figures.created_at = row.created_at;
    return figures;
}

Result<Figures> figures_of(api::Names& names, const Item& item) {
    if (item.backup) {
        Figures figures = figures_of(*item.backup);
        figures.verified_at = item.backup->verified_at;
        figures.expires_at = TRY(expiry_of(names, *item.backup));
        return figures;
    }
    Figures figures = figures_of(*item.snapshot);
    // A snapshot is only completed when everything was read back.
    if (item.snapshot->status == "completed") figures.verified_at = item.snapshot->completed_at;
    const auto dependents = TRY(operations::dependents_of(names.db(), item.snapshot->id));
    figures.expires_at = operations::expiry_with(item.snapshot->expires_at, dependents);
    return figures;
}

}  // namespace

Result<> check_key(const api::Call& call) {
    if (call.principal.kind == auth::Principal::Kind::api_key) return {};
    return api::problem(401, "invalid_key_format", "this API takes an API key (bks_ro_… or bks_rw_…)");
}

Result<Item> read_item(const api::Call& call, sql::Database& db, operations::PublicBackup shown) {
    Item item{std::move(shown), {}, {}};
    if (item.shown.is_snapshot) {
        item.snapshot = TRY(api::find_snapshot(call, db, item.shown.id));
    } else {
        item.backup = TRY(api::find_backup(call, db, item.shown.id));
    }
    return item;
}

Result<Item> find_item(const api::Call& call, sql::Database& db, std::string_view id) {
    auto found = TRY(operations::find_public(db, call.organization_id, id));
    if (!found) return api::not_found("backup");
    return read_item(call, db, std::move(*found));
}

Result<json::Value> item_answer(api::Names& names, const Item& item) {
    const Figures figures = TRY(figures_of(names, item));
    const bool completed = item.shown.status == "completed";
    const bool known = completed || figures.stored > 0;
    const bool timed = figures.started_at && figures.completed_at;
    json::Object out;
    out["id"] = item.shown.id;
    out["environment_id"] = api::text_answer(figures.environment_id);
    out["status"] = item.shown.status;
    out["backup_type"] = item.shown.type;
    out["database_size"] = bytes_answer(figures.database, known);
    out["filestore_size"] = bytes_answer(figures.filestore, known);
    out["total_size"] = bytes_answer(figures.database + figures.filestore, known);
    out["compressed_size"] = bytes_answer(figures.stored, known);
    out["started_at"] = time_answer(figures.started_at);
    out["completed_at"] = time_answer(figures.completed_at);
    out["duration_seconds"] =
        timed ? json::Value((*figures.completed_at - *figures.started_at) / 1000) : json::Value(nullptr);
    out["expires_at"] = time_answer(figures.expires_at);
    out["is_verified"] = figures.verified_at.has_value();
    out["verified_at"] = time_answer(figures.verified_at);
    out["notes"] = api::text_answer(figures.notes);
    out["created_at"] = to_rfc3339(figures.created_at);
    out["error_message"] = item.shown.status == "failed" ? api::text_answer(figures.error) : json::Value(nullptr);
    return json::Value(std::move(out));
}

}  // namespace backstay::public_api
