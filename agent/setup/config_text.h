// Small changes to the text of a TOML file that keep everything else as somebody wrote it. Knows lines, not TOML: the
// caller reads the result with the real parser and compares.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace backstay::setup {

// A text in quotes; a list of them.
std::string toml_text(std::string_view text);
std::string toml_text(const std::vector<std::string>& texts);

// Gives `key` in the nth `table` ("" for the top, "[control_plane]", "[[cluster]]"; 0 is the first) this value, which
// is TOML; a comment behind the old one stays. nullopt: no such table, or a value of several lines.
std::optional<std::string> set_value(const std::string& text, std::string_view table, std::size_t nth,
                                     std::string_view key, std::string_view value);

// The file with a further table at its end.
std::string append_table(const std::string& text, std::string_view table);

}  // namespace backstay::setup
