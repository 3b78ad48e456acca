// Folders as a restore swaps them: known by identity, exchanged in one step, removed whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/result.h"

namespace backstay::restore {

// The folder's inode and time of birth as text, which stay with it through renames and restarts (a device's number does
// not: btrfs, NFS, disks found in another order); nullopt: there is none at `path`. What is there but is no folder (a
// symbolic link too) is invalid. File systems without a time of birth are told by the inode alone.
Result<std::optional<std::string>> folder_identity(const std::string& path);

// Two folders of one file system change places at once (renameat2 EXCHANGE), durably.
Result<> exchange_folders(const std::string& one, const std::string& other);

// `to` must not exist (renameat2 NOREPLACE); durable.
Result<> rename_folder(const std::string& from, const std::string& to);

// With all it holds, following no link; absent is success.
Result<> remove_folder(const std::string& path);

// Everything written to the file system that holds `path` is on disk when it returns.
Result<> sync_file_system(const std::string& path);

// This process may chown: it is root, or its service unit gives it CAP_CHOWN.
bool may_give_files_away();

std::string parent_of(const std::string& path);

}  // namespace backstay::restore
