// A backup with all that its answer speaks of, in one round trip: it is what consoles ask for most.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/steps.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/operations/history.h"
#include "control-plane/operations/testimony.h"

namespace backstay::operations {

struct ShownBackup {
    BackupRow row;
    std::optional<Testimony> testimony;
    // Of its environment, also of one that is hidden by now; absent: it has none.
    std::optional<std::string> environment_name;
    std::optional<std::string> environment_type;
    bool scheduled = false;  // its environment has a schedule that is enabled: tiers may keep it
    std::vector<CopyRecord> copies;
};

// Absent: unknown, deleted or another organization's.
Result<std::optional<ShownBackup>> find_shown_backup(sql::Database& db, std::string_view organization_id,
                                                     std::string_view id);

}  // namespace backstay::operations
