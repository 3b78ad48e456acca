// What a program says of the failure that ends it.
#pragma once

#include <string_view>

#include "common/result.h"

namespace backstay::log {

// To people "PROGRAM: message" and the hint on a line of its own; to the journal one line of priority err.
void last_words(std::string_view program, const Error& error);

}  // namespace backstay::log
