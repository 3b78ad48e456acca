// A folder of the host as storage/tree_listing.h reads it.
#pragma once

#include <stop_token>

#include "common/result.h"
#include "storage/storage.h"

namespace backstay::directory {

// Names that are no keys (control characters, symbolic links, sockets) are passed over.
Result<ListPage> list_folder(int root, const ListQuery& query, const std::stop_token& stop);

}  // namespace backstay::directory
