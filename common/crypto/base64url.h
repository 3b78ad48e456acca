// Base64 with the URL-safe alphabet and without padding (RFC 4648 section 5). Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "common/bytes.h"

namespace backstay {

std::string base64url_encode(ByteSpan bytes);

// Exactly what the encoder writes: padding, line ends, other characters and bits that are left over are invalid, so
// that one value has one text.
Result<std::string> base64url_decode(std::string_view text);

}  // namespace backstay
