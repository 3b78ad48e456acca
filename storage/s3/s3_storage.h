// Objects in a bucket of Amazon S3 or of anything that speaks its protocol.
#pragma once

#include <memory>

#include "storage/destination.h"
#include "storage/storage.h"

namespace backstay::s3 {

// Checks names and addresses; connects with the first call. One connection, one part of memory (8 MiB) while a put
// runs.
Result<std::unique_ptr<Storage>> open_s3(const S3Config& config, const StorageContext& context);

}  // namespace backstay::s3
