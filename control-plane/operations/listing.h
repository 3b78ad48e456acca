// Operations as lists show them: what is JSON in a row stays the text that it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control-plane/operations/rows.h"
#include "control-plane/operations/testimony.h"

namespace backstay::operations {

struct ListedOperation {
    std::string id;
    Kind kind = Kind::backup;
    std::optional<std::string> environment_id;
    std::optional<std::string> backup_id;
    std::string subject;
    std::string status;
    std::string failure;
    std::string performed_by;
    TimeMs created_at = 0;
    std::optional<TimeMs> started_at;
    std::optional<TimeMs> completed_at;
    Testimony testimony;
};
ListedOperation listed(const OperationRow& operation);

struct OperationFilter {
    std::string organization_id;
    std::optional<std::string> environment_id;
    std::optional<std::string> backup_id;
    std::optional<std::string> kind;
    std::optional<std::string> project_id;  // only what acts on its environments
    std::int64_t limit = 50;
    std::int64_t offset = 0;
};
struct OperationPage {
    std::vector<ListedOperation> rows;
    std::int64_t total = 0;
};
// Newest first.
Result<OperationPage> list_operations(sql::Database& db, const OperationFilter& filter);

}  // namespace backstay::operations
