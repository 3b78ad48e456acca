// Ids are UUIDs (RFC 9562) in lower-case text; distinct types where mixing them up would hurt.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "common/result.h"

namespace backstay {

// A random (version 4) UUID. Aborts when the kernel gives no randomness.
std::string new_uuid();

// Accepts the canonical 8-4-4-4-12 form in either case; anything else is false.
bool is_uuid(std::string_view text);

// A secret of `bytes` random bytes in URL-safe base64 without padding.
std::string random_token(std::size_t bytes);

// Time-ordered (version 7) UUID: rows created later sort later.
std::string new_ordered_uuid();

}  // namespace backstay
