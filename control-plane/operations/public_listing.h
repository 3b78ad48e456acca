// Backups as /api/public/v1 counts them: those of an environment, and the snapshots taken before its deployments, with
// its five statuses and three types (contract/semantics.md 3.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::operations {

struct PublicBackup {
    std::string id;
    bool is_snapshot = false;
    std::string status;  // pending, running, completed, failed, cancelled: `partial` is one of them
    std::string type;    // manual, scheduled, pre_deploy
};

struct PublicFilter {
    std::string organization_id;
    std::string environment_id;
    std::optional<std::string> status;
    std::optional<std::string> type;
    std::optional<bool> verified;
    std::int64_t limit = 20;
    std::int64_t offset = 0;
};
struct PublicPage {
    std::vector<PublicBackup> rows;
    std::int64_t total = 0;
};
// Newest first; neither base backups, which are of a whole cluster, nor what is being deleted.
Result<PublicPage> list_public(sql::Database& db, const PublicFilter& filter);
Result<std::optional<PublicBackup>> find_public(sql::Database& db, std::string_view organization_id,
                                                std::string_view id);

}  // namespace backstay::operations
