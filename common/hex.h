// Bytes as lower-case hex digits, two each.
#pragma once

#include <string>

#include "common/bytes.h"

namespace backstay {

void append_hex(std::string& out, ByteSpan bytes);

}  // namespace backstay
