#include "control-plane/dispatch/order_removal.h"

#include "common/domain/orders.h"
#include "common/json/json.h"
#include "control-plane/dispatch/order_backup.h"

namespace backstay::dispatch {
namespace {

using operations::BackupRow;

// A folder that the row does not know (the agent never finished) follows from keys that were reported.
Result<> find_folder(sql::Database& db, BackupRow& row) {
    if (!row.folder.empty()) return {};
    for (const CopyRecord& copy : TRY(operations::copies_of(db, row.id))) {
        const std::size_t slash = copy.key.rfind('/');
        if (slash != std::string::npos) row.folder = copy.key.substr(0, slash);
    }
    return {};
}

}  // namespace

Result<std::string> remove_backup(sql::Database& db, BackupRow& row, std::string_view performed_by, TimeMs now,
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
        NewJob job = job_about(row, operations::Kind::deletion, "delete", care.agent_id, performed_by);
        const DeleteOrder order{job.operation.id, row.id, row.folder, closed(care.where)};
        job.order = json::encode(order).as_object();
        TRY(enqueue(db, std::move(job), now, stir));
    }
    return left;
}

}  // namespace backstay::dispatch
