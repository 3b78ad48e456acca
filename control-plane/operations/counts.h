// How much there is and how old, for metrics.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::operations {

struct OperationCounts {
    struct Jobs {
        std::string kind;
        std::string state;
        std::int64_t number = 0;
    };
    struct LastBackup {
        std::string environment_id;
        std::string scope;
        TimeMs completed_at = 0;
    };
    std::vector<Jobs> jobs;                         // unfinished
    std::map<std::string, std::int64_t> backups;    // by status
    std::map<std::string, std::int64_t> snapshots;  // by status
    std::vector<LastBackup> last_backups;           // restorable ones
};

Result<OperationCounts> count_operations(sql::Database& db);

}  // namespace backstay::operations
