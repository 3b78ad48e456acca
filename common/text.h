// Text that came from elsewhere, made fit to be kept.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace backstay {

// The longest beginning of valid UTF-8 that has at most `most_bytes` and ends with a whole character.
std::string cut_utf8(std::string_view text, std::size_t most_bytes);

// What would command a terminal never reaches it out of names that others chose: a blank instead of each control
// character (also the ones of eight bits), of what changes the direction of writing, and of bytes that are no UTF-8.
std::string printable(std::string_view text);
// The same of several lines: line feeds stay.
std::string printable_lines(std::string_view text);

// Columns that it takes on a terminal, near enough: none for combining characters, two for wide ones.
std::size_t columns_of(std::string_view text);
// The longest beginning of whole characters that takes at most so many columns.
std::string cut_columns(std::string_view text, std::size_t most);

}  // namespace backstay
