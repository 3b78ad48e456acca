// What lies in a destination, folder by folder, told by names alone: no database, and never all of it in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "common/result.h"
#include "storage/storage.h"

namespace backstay::adoption {

enum class FolderKind { backup, snapshot, base };

// One with a manifest: what it holds counts as committed.
struct FoundFolder {
    FolderKind kind = FolderKind::backup;
    std::string path;
    std::string id;                              // its last part
    std::map<std::string, std::uint64_t> files;  // sizes by name
};

// In the order of their paths. An error of `on_folder` ends it.
Result<> survey(Storage& storage, const std::stop_token& stop,
                const std::function<Result<>(const FoundFolder& folder)>& on_folder);

}  // namespace backstay::adoption
