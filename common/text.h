// Text that came from elsewhere, made fit to be kept.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace backstay {

// The longest beginning of valid UTF-8 that has at most `most_bytes` and ends with a whole character.
std::string cut_utf8(std::string_view text, std::size_t most_bytes);

// Control characters of names that others chose never reach a terminal: a blank instead.
std::string printable(std::string_view text);

}  // namespace backstay
