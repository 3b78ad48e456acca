// Pages of a folder tree in the order of whole keys. Memory is bounded by the page, not by the folder: each level keeps
// only the smallest names that still matter.
#pragma once

#include <stop_token>

#include "common/result.h"
#include "storage/storage.h"

namespace backstay::directory {

// Where unfinished objects live, at the top of the destination; never listed, no key may lie in it.
inline constexpr std::string_view kUnfinished = ".backstay-unfinished";

// Names that are no keys (control characters, symbolic links, sockets) are passed over.
Result<ListPage> list_tree(int root, const ListQuery& query, const std::stop_token& stop);

}  // namespace backstay::directory
