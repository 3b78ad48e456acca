// Removing many objects with one request.
#pragma once

#include <string>
#include <vector>

#include "storage/s3/connection.h"

namespace backstay::s3 {

// At most 1,000 whole keys. The first that the server refuses is the error; absent ones are none. A server that does
// not know the request: is_unsupported(error).
Result<> erase_batch(Connection& connection, const std::vector<std::string>& keys);

}  // namespace backstay::s3
