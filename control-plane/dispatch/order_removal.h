// Ordering the removal of a backup: by people, or because retention lets it go. The row is marked first and answers as
// `deleting`; files go asynchronously, everywhere.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/dispatch/care.h"
#include "control-plane/dispatch/desk.h"
#include "control-plane/dispatch/stir.h"
#include "control-plane/operations/history.h"

namespace backstay::dispatch {

// Inside the caller's transaction; the caller has checked that it may go. Answers what stays because nobody reaches it:
// "'disk' (removed)"; empty: nothing. A backup of which nothing lies anywhere is gone at once. conflict with reason
// no_agent: nobody can do it.
Result<std::string> remove_backup(sql::Database& db, operations::BackupRow& row, std::string_view performed_by,
                                  TimeMs now, Stir& stir);

}  // namespace backstay::dispatch
