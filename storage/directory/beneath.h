// Files under one folder, reached segment by segment: no symbolic link and no ".." can lead out of it, whoever plants
// them and whenever (each segment is opened with O_NOFOLLOW relative to the one before).
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "common/fd.h"
#include "common/result.h"

namespace backstay::directory {

// errno as an Error with the reason code that fits: a full disk, a missing right, a missing file.
Error file_error(int errno_value, std::string_view what);

// A key cut into its folder ("" at the top) and its last segment.
struct SplitKey {
    std::string_view folder;
    std::string_view name;
};
SplitKey split_key(std::string_view key);

// Opens the folder `path` (segments joined by '/', "" is `root` itself) beneath `root`. With `create`, missing folders
// are made and made durable. Absent: not_found. A symbolic link in the way: denied.
Result<Fd> open_folder(int root, std::string_view path, bool create);

// Opens the regular file `key` beneath `root` for reading. Absent, or not a file: not_found.
Result<Fd> open_file(int root, std::string_view key, struct stat& about);

TimeMs modified_ms(const struct stat& about);
std::string etag_of(const struct stat& about);

}  // namespace backstay::directory
