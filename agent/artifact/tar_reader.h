// Reads a tar stream (pax, GNU, ustar) member by member. libarchive's home for reading.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "common/bytes.h"

namespace backstay {

struct TarMember {
    enum class Kind { file, folder, other };
    std::string path;  // as it stands in the archive: check it before use
    Kind kind = Kind::file;
    std::uint64_t size_bytes = 0;
    unsigned mode = 0;
    std::int64_t modified_at = 0;  // seconds
};

// `content` gives the member's bytes and is valid during the call only; what is left unread is skipped.
using OnTarMember = std::function<Result<>(const TarMember& member, Source& content)>;

// After the last member `from` is read to its end, so that its own checks come to their verdict. A broken archive is
// corrupted with reason structure_invalid; an error of `from` is handed on as it is.
Result<> read_tar(Source& from, const OnTarMember& on_member);

}  // namespace backstay
