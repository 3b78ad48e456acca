// Reading single files of a filestore, each checked against the SHA-1 that its name states. Used by file_packer only.
#pragma once

#include <cstdint>
#include <string>

#include "agent/artifact/buffer.h"
#include "common/bytes.h"
#include "common/crypto/digest.h"
#include "common/process/spawn.h"
#include "common/result.h"

namespace backstay {

enum class FileFate { packed, missing, damaged, unreadable };

struct OpenedFile {
    Fd descriptor;
    std::uint64_t size_bytes = 0;
    std::int64_t modified_at = 0;
};

// A regular file below the folder `root`, never through a symbolic link. Errors: not_found (also when something else
// than a regular file is there), denied, io.
Result<OpenedFile> open_below(int root, const std::string& name);

// Appends the file's content, and answers its SHA-1. A file that shrinks or grows meanwhile gives what it had.
Result<std::string> read_whole(const OpenedFile& file, Buffer& into, Digest& sha1);

// Error → missing or unreadable.
FileFate fate_of(const Error& error);

}  // namespace backstay
