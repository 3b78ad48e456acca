// Objects as files under one folder of the host ("local"): a disk, a mounted share.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "storage/destination.h"
#include "storage/storage.h"

namespace backstay::directory {

// `roots` is the allow-list of StorageContext. The folder is opened with the first call; its last segment is made when
// only that is missing.
Result<std::unique_ptr<Storage>> open_directory(const LocalConfig& config, const std::vector<std::string>& roots,
                                                std::stop_token stop);

}  // namespace backstay::directory
