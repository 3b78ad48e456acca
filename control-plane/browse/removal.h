// Takes one file out of a destination, with what that means for the backup or snapshot that needs it.
#pragma once

#include <string>

#include "control-plane/api/call.h"
#include "control-plane/store/destinations.h"
#include "storage/storage.h"

namespace backstay::browse {

// 404 file_not_found; 409 file_referenced unless forced, object_locked. Forced, the record's copy counts as missing,
// which its evidence tells.
Result<> remove_file(const api::Call& call, sql::Database& db, Storage& storage, const store::DestinationRow& row,
                     const std::string& path, bool force);

// The copies of a record in a destination that are gone (of these artifacts, or all when empty): its evidence then says
// remote_missing. Inside the caller's transaction.
Result<> mark_missing(sql::Database& db, std::string_view record_id, std::string_view destination_id,
                      const std::vector<std::string>& artifacts, TimeMs now);

}  // namespace backstay::browse
