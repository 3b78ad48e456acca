#include "control-plane/operations/drills.h"

#include <algorithm>

#include "control-plane/store/rows.h"

namespace backstay::operations {
namespace {

constexpr std::string_view kDrills = "kind = 'verification' AND plan LIKE '%\"scratch_restore\"%'";

}  // namespace

bool is_drill(const OperationRow& operation) {
    const auto& steps = operation.plan.steps;
    return operation.kind == Kind::verification && std::any_of(steps.begin(), steps.end(), [](const StepPlan& step) {
               return step.name == step::kScratchRestore;
           });
}

Result<bool> drill_runs(sql::Database& db, std::string_view environment_id) {
    const auto count = TRY(store::count_of(
        db.query("SELECT COUNT(*) FROM operations WHERE environment_id = $1 AND completed_at IS NULL AND phase IN "
                 "('pending', 'running') AND " +
                     std::string(kDrills),
                 {environment_id})));
    return count > 0;
}

Result<std::optional<TimeMs>> last_passed_drill(sql::Database& db, std::string_view environment_id) {
    auto rows =
        TRY(db.query("SELECT MAX(completed_at) FROM operations WHERE environment_id = $1 AND status = "
                     "'completed' AND " +
                         std::string(kDrills),
                     {environment_id}));
    TRY(rows.step());
    return rows.optional_integer(0);
}

Result<OperationPage> list_drills(sql::Database& db, std::string_view organization_id, std::string_view environment_id,
                                  std::int64_t limit, std::int64_t offset) {
    const std::string from =
        "FROM operations WHERE organization_id = $1 AND environment_id = $2 AND " + std::string(kDrills);
    OperationPage page;
    page.total = TRY(store::count_of(db.query("SELECT COUNT(*) " + from, {organization_id, environment_id})));
    const auto ids = TRY(store::all_rows(db.query("SELECT id " + from +
                                                      " ORDER BY created_at DESC, id DESC LIMIT $3 "
                                                      "OFFSET $4",
                                                  {organization_id, environment_id, limit, offset}),
                                         [](const sql::Statement& row) { return row.text(0); }));
    for (const std::string& id : ids) {
        const auto row = TRY(find_operation(db, id));
        if (row) page.rows.push_back(listed(*row));
    }
    return page;
}

}  // namespace backstay::operations
