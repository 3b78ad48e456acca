#include "control-plane/dispatch/order_removal.h"

#include <algorithm>

#include "common/domain/orders.h"
#include "common/ids.h"
#include "common/json/json.h"
#include "control-plane/dispatch/order_backup.h"
#include "control-plane/store/rows.h"

namespace backstay::dispatch {
namespace {

using operations::BackupRow;

constexpr std::int64_t kAtOnce = 50;
constexpr std::int64_t kDoublingsMost = 5;

// A folder that the row does not know (the agent never finished) follows from keys that were reported.
Result<> find_folder(sqlite::Database& db, BackupRow& row) {
    if (!row.folder.empty()) return {};
    for (const CopyRecord& copy : TRY(operations::copies_of(db, row.id))) {
        const std::size_t slash = copy.key.rfind('/');
        if (slash != std::string::npos) row.folder = copy.key.substr(0, slash);
    }
    return {};
}

struct Tries {
    std::string backup_id;
    std::int64_t failed = 0;
    TimeMs last_at = 0;
};

Result<std::vector<Tries>> refused_removals(sqlite::Database& db) {
    static constexpr std::string_view kSql =
        "SELECT b.id, COUNT(o.id), COALESCE(MAX(o.completed_at), 0) FROM backups b LEFT JOIN operations o ON "
        "o.backup_id = b.id AND o.kind = 'deletion' WHERE b.status = 'deleting' AND NOT EXISTS (SELECT 1 FROM jobs j "
        "WHERE j.backup_id = b.id AND j.state <> 'finished') GROUP BY b.id";
    return store::all_rows(db.query(kSql), [](const sqlite::Statement& row) {
        return Tries{row.text(0), row.integer(1), row.integer(2)};
    });
}

}  // namespace

NewJob removal_job(const Stored& stored, std::string_view kind, std::string_view agent_id,
                   std::string_view performed_by) {
    NewJob job;
    job.kind = kind;
    job.agent_id = agent_id;
    job.operation.id = new_ordered_uuid();
    job.operation.kind = operations::Kind::deletion;
    job.operation.organization_id = stored.organization_id;
    job.operation.environment_id = stored.environment_id;
    job.operation.backup_id = stored.id;
    job.operation.performed_by = performed_by;
    return job;
}

std::int64_t removal_retry_ms(std::int64_t failed) {
    const std::int64_t doublings = std::clamp<std::int64_t>(failed - 1, 0, kDoublingsMost);
    return std::min(kHour << doublings, 24 * kHour);
}

Result<std::string> remove_backup(sqlite::Database& db, BackupRow& row, std::string_view performed_by, TimeMs now,
                                  Stir& stir) {
    TRY(find_folder(db, row));
    const Care care = TRY(care_for(db, row, false));
    std::string left = TRY(left_behind(db, row, care));
    if (row.status != "deleting") row.error_message.reset();
    row.status = "deleting";
    if (!left.empty()) row.error_message = "its files stay in " + left;
    if (care.where.empty() || row.folder.empty()) {
        row.status = "deleted";
        row.deleted_at = now;
        TRY(operations::update_backup(db, row));
    } else {
        TRY(operations::update_backup(db, row));
        NewJob job = removal_job(row, "delete", care.agent_id, performed_by);
        const DeleteOrder order{job.operation.id, row.id, row.folder, closed(care.where)};
        job.order = json::encode(order).as_object();
        TRY(enqueue(db, std::move(job), now, stir));
    }
    return left;
}

Result<> retry_removals(sqlite::Database& db, TimeMs now, Stir& stir) {
    std::int64_t ordered = 0;
    for (const Tries& tries : TRY(refused_removals(db))) {
        if (ordered == kAtOnce) break;
        if (now < tries.last_at + removal_retry_ms(tries.failed)) continue;
        auto row = TRY(operations::find_backup_row(db, tries.backup_id));
        if (!row) continue;
        const auto left = remove_backup(db, *row, "system", now, stir);
        if (!left && left.error().reason() != "no_agent") return left.error();
        if (left) ++ordered;
    }
    return {};
}

}  // namespace backstay::dispatch
