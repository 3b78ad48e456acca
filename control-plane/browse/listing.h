// One level of a destination, as GET …/browse answers it.
#pragma once

#include <string>

#include "common/crypto/secret_box.h"
#include "control-plane/api/call.h"
#include "storage/storage.h"

namespace backstay::browse {

struct Level {
    std::string destination;
    std::string prefix;  // "" or ending in '/'
    std::string cursor;  // nextToken of the page before, or empty
};

// nextToken is sealed with `box`: it holds a key that the caller may not have been shown.
Result<http::Response> browse_level(const api::Call& call, sql::Database& db, Storage& storage, const SecretBox& box,
                                    const Level& level);

}  // namespace backstay::browse
