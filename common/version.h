// The version of all programs of this tree; cmake checks that the project's is the same.
#pragma once

#include <string_view>

namespace backstay {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace backstay
