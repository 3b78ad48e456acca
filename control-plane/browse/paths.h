// Paths as the storage browser takes them (contract/semantics.md 9.2): relative to the destination's prefix, already
// percent-decoded once. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace backstay::browse {

// One object's path. 400 invalid_path for what check_key refuses, and for what somebody who decodes once more would
// read as "..", "/", "\" or NUL.
Result<std::string> object_path(std::string_view text);

// What is browsed below: "" is everything, else a folder, with or without '/' at its end; answered with it. 400
// invalid_path.
Result<std::string> folder_prefix(std::string_view text);

// A path that only agents write: whoever put something there could forge a backup. Uploads go anywhere outside of
// "backups/", "base/", "wal/", "snapshots/" and of the tree "v1/", and into
// "v1/<organization>/<project>/<env>/uploads/" of their own organization.
bool is_reserved(std::string_view path, std::string_view organization);

// "a/b/c.txt" → "c.txt"
std::string_view file_name(std::string_view path);

}  // namespace backstay::browse
