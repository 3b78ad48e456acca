// Reading an object: a transfer that breaks off is taken up again where it stopped, and the bytes are counted against
// what the server announced.
#pragma once

#include <string_view>

#include "storage/s3/connection.h"
#include "storage/storage.h"

namespace backstay::s3 {

Result<> download(Connection& connection, std::string_view key, const ByteRange& range, Sink& into);

}  // namespace backstay::s3
