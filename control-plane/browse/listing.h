// One level of a destination, as GET …/browse answers it.
#pragma once

#include <string>

#include "control-plane/api/call.h"
#include "control-plane/store/destinations.h"
#include "storage/storage.h"

namespace backstay::browse {

// `prefix`: "" or ending in '/'. `cursor`: nextToken of the page before, or empty.
Result<http::Response> browse_level(const api::Call& call, sqlite::Database& db, Storage& storage,
                                    const store::DestinationRow& row, const std::string& prefix,
                                    const std::string& cursor);

}  // namespace backstay::browse
