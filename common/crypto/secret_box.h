// Small secrets at rest (destination credentials in a database): AES-256-GCM under a key that lies in a file beside
// nothing else. Immutable after creation: any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "common/result.h"

namespace backstay {

class SecretBox {
public:
    // A file with the 32 bytes in URL-safe base64, readable by its owner only.
    static Result<SecretBox> load(const std::string& key_file);
    // Makes a random key and the file (mode 0600); an existing file is a conflict.
    static Result<SecretBox> create(const std::string& key_file);
    static Result<SecretBox> from_key(std::string_view key);

    // Text for a database column. `context` names the place it belongs to ("destination:<id>"); it is not stored, but
    // a box opens only where it was sealed for, so that rows cannot be swapped.
    std::string seal(std::string_view secret, std::string_view context) const;
    // Sealed under another key, for another context, or changed: corrupted.
    Result<std::string> open(std::string_view sealed, std::string_view context) const;
    // Another key, 32 bytes, for `purpose` alone: it tells nothing of this one.
    std::string derive(std::string_view purpose) const;

private:
    explicit SecretBox(std::string_view key);
    std::array<unsigned char, 32> key_{};
};

}  // namespace backstay
