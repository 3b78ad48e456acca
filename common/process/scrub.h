// Removes passwords from text that other programs wrote, before it reaches a log or the evidence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace backstay {

// Replaces each of `secrets` (shorter ones than 4 characters are left alone: they would tear ordinary words apart),
// what follows "password=" or "passwd=", and the password of "scheme://user:password@host" by "***".
std::string scrub(std::string_view text, const std::vector<std::string>& secrets);

}  // namespace backstay
