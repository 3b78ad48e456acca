// A base backup's tar as a data folder.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "agent/jobs/pitr/server_user.h"
#include "common/bytes.h"

namespace backstay::pitr {

struct Unpacking {
    std::string folder;  // new; its parent is there
    ServerUser owner;
    std::stop_token stop;
    std::function<void(std::uint64_t bytes)> on_bytes;  // as files are written
};

struct Unpacked {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};

// Only plain files and folders with names below the folder; anything else is structure_invalid.
Result<Unpacked> unpack_base(Source& tar, const Unpacking& unpacking);

}  // namespace backstay::pitr
