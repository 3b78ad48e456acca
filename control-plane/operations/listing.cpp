#include "control-plane/operations/listing.h"

#include "common/json/json.h"
#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

constexpr std::string_view kColumns =
    "id, kind, environment_id, backup_id, subject, status, failure, performed_by, created_at, started_at, "
    "completed_at, evidence, progress, phase";

Result<ListedOperation> read_row(const sql::Statement& row) {
    ListedOperation out;
    out.id = row.text(0);
    const auto kind = kind_from(row.text(1));
    if (!kind) return Error(Errc::corrupted, "operation " + out.id + " is of an unknown kind");
    out.kind = *kind;
    out.environment_id = row.optional_text(2);
    out.backup_id = row.optional_text(3);
    out.subject = row.text(4);
    out.status = row.text(5);
    out.failure = row.text(6);
    out.performed_by = row.text(7);
    out.created_at = row.integer(8);
    out.started_at = row.optional_integer(9);
    out.completed_at = row.optional_integer(10);
    out.testimony = read_testimony(row, 11);
    return out;
}

}  // namespace

ListedOperation listed(const OperationRow& row) {
    ListedOperation out;
    out.id = row.id;
    out.kind = row.kind;
    out.environment_id = row.environment_id;
    out.backup_id = row.backup_id;
    out.subject = row.subject;
    out.status = row.status;
    out.failure = row.failure;
    out.performed_by = row.performed_by;
    out.created_at = row.created_at;
    out.started_at = row.started_at;
    out.completed_at = row.completed_at;
    out.testimony.evidence = row.evidence;
    if (row.progress) out.testimony.progress = json::encode_text(*row.progress);
    out.testimony.ended = is_ended(row);
    return out;
}

Result<OperationPage> list_operations(sql::Database& db, const OperationFilter& filter) {
    store::Where where("true");
    where.is("organization_id", filter.organization_id)
        .is("environment_id", filter.environment_id)
        .is("kind", filter.kind)
        .holds("environment_id IN (SELECT id FROM environments WHERE project_id = $", filter.project_id, ")");
    if (filter.backup_id) {  // has few
        where.is("backup_id", filter.backup_id);
        return store::newest_page<OperationPage>(db, kColumns, "FROM operations " + where.text(), where.values(),
                                                 filter.limit, filter.offset, read_row);
    }
    return store::counted_page<OperationPage>(
        db, {"operations", kColumns, where, "operation_counts", where, filter.limit, filter.offset}, read_row);
}

}  // namespace backstay::operations
