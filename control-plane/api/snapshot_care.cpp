// What can be done with a snapshot that exists: delete, pin, unpin.
#include "control-plane/api/operation_scope.h"
#include "control-plane/api/scope.h"
#include "control-plane/api/snapshots.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/job_rows.h"
#include "control-plane/dispatch/order_snapshot.h"

namespace backstay::api {
namespace {

using auth::Permission;
using operations::SnapshotRow;

constexpr std::size_t kPinLabelMost = 100;

std::size_t characters(std::string_view text) {
    std::size_t count = 0;
    for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U ? 1 : 0;
    return count;
}

Result<> refuse_while_referenced(sql::Database& db, const SnapshotRow& row) {
    json::Faults faults;
    std::string ids;
    for (const std::string& id : TRY(operations::differentials_of(db, row.id))) {
        faults.push_back({"snapshotId", id});
        ids.append(ids.empty() ? "" : ", ").append(id);
    }
    if (faults.empty()) return {};
    return conflict("snapshot_referenced", "differential snapshots need this one: " + ids, faults);
}

Result<> refuse_while_used(sql::Database& db, const SnapshotRow& row) {
    if (row.status == "pending" || row.status == "running") {
        return conflict("snapshot_running", "the snapshot is still being taken");
    }
    if (row.is_pinned) return conflict("snapshot_pinned", "the snapshot is pinned: unpin it first");
    TRY(refuse_while_referenced(db, row));
    const auto rollback = TRY(operations::rollback_using(db, row.id));
    if (rollback) return conflict("snapshot_in_use", "rollback " + *rollback + " works with this snapshot");
    if (row.is_full.value_or(false) && row.environment_id) {
        for (const auto& job : TRY(dispatch::busy_jobs_of_environment(db, *row.environment_id))) {
            if (job.kind != "snapshot" && job.kind != "rollback") continue;
            return conflict("snapshot_in_use", "a snapshot that is being taken may build on this one");
        }
    }
    return {};
}

Result<http::Response> remove(Call& call, sql::Transaction& transaction, live::Live& live) {
    sql::Database& db = transaction.database();
    SnapshotRow row = TRY(snapshot_of_path(call, db));
    dispatch::Stir stir;
    for (const auto& job : TRY(dispatch::unfinished_jobs_of_backup(db, row.id))) {
        if (job.kind == "delete_snapshot") return no_content();
    }
    if (row.status == "pending") {
        TRY(dispatch::cancel_job(db, row.id, call.now, stir));
        row = TRY(snapshot_of_path(call, db));
    }
    TRY(refuse_while_used(db, row));
    const std::string left = TRY(dispatch::remove_snapshot(db, row, call.principal.name, call.now, stir));
    TRY(note_audit(call, db, "snapshot.delete", row.id, left.empty() ? "" : "its files stay in " + left));
    live.after_commit(call, stir);
    return no_content();
}

struct PinRequest {
    std::optional<std::string> label;
};
BOOST_DESCRIBE_STRUCT(PinRequest, (), (label))

Result<http::Response> pin(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    SnapshotRow row = TRY(snapshot_of_path(call, db));
    const auto environment = TRY(find_environment(call, db, call.param("environmentId")));
    const auto request = TRY(body<PinRequest>(call));
    const std::string label = request.label.value_or("");
    if (characters(label) > kPinLabelMost) return rule_broken("label_too_long", "label", "at most 100 characters");
    if (!operations::is_usable_snapshot(row.status)) {
        return conflict("snapshot_not_usable", "the snapshot is " + row.status);
    }
    const auto settings = TRY(store::SnapshotSettingsOf(db).ensure(environment, call.now));
    const std::int64_t pinned = TRY(operations::count_pinned(db, environment.id));
    if (!operations::may_pin(row.is_pinned, pinned, settings.max_pinned)) {
        return conflict("pin_limit", "at most " + std::to_string(settings.max_pinned) + " snapshots are pinned here");
    }
    row.is_pinned = true;
    row.pin_label = label;
    row.unpinned_at.reset();
    row.expires_at.reset();
    TRY(operations::update_snapshot(db, row));
    TRY(note_audit(call, db, "snapshot.pin", row.id, label));
    return message_answer(200, "the snapshot is pinned");
}

Result<http::Response> unpin(Call& call, sql::Transaction& transaction) {
    sql::Database& db = transaction.database();
    SnapshotRow row = TRY(snapshot_of_path(call, db));
    if (!row.is_pinned) return message_answer(200, "the snapshot is not pinned");
    row.is_pinned = false;
    row.pin_label.clear();
    row.unpinned_at = call.now;
    const std::int64_t days = TRY(store::SnapshotSettingsOf(db).retention_days(row.environment_id));
    row.expires_at = operations::own_expiry({row.completed_at, false, row.unpinned_at, days});
    TRY(operations::update_snapshot(db, row));
    TRY(note_audit(call, db, "snapshot.unpin", row.id));
    return message_answer(200, "the snapshot is not pinned any more");
}

}  // namespace

void add_snapshot_care_routes(RouteTable& routes, live::Live& live) {
    constexpr std::string_view kOne = "/api/environments/{environmentId}/snapshots/{snapshotId}";
    constexpr std::string_view kPin = "/api/environments/{environmentId}/snapshots/{snapshotId}/pin";
    routes.add_write({"DELETE", kOne, Permission::manage_backups},
                     [&live](Call& call, sql::Transaction& t) { return remove(call, t, live); });
    routes.add_write({"PUT", kPin, Permission::manage_backups}, pin);
    routes.add_write({"DELETE", kPin, Permission::manage_backups}, unpin);
}

}  // namespace backstay::api
