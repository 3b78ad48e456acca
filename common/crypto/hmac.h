// Keyed digests, and comparing secrets. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace backstay {

// 32 raw bytes. Aborts when the crypto library refuses: the program is then not usable at all.
std::string hmac_sha256(std::string_view key, std::string_view message);
// 20 raw bytes; where a file format of others asks for it (hashed names in known_hosts), never for proofs of ours.
std::string hmac_sha1(std::string_view key, std::string_view message);

// Takes the same time wherever the two differ; a different length is seen at once.
bool constant_time_equal(std::string_view a, std::string_view b);

}  // namespace backstay
