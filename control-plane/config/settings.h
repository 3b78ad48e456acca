// control.toml: what a control plane is told once at its start. Relative paths lie in its state folder. Secrets are
// never in it, only paths of files that hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/log.h"
#include "common/result.h"

namespace backstay {

struct TokenSettings {
    std::string algorithm = "HS256";      // HS256, RS256, EdDSA
    std::string secret_file = "jwt.key";  // HS256: at least 32 bytes
    std::string public_key_file;          // RS256, EdDSA: PEM
    std::string issuer;                   // empty: any
    std::string audience = "backstay";    // empty: any
};

struct ApiLimits {
    std::int64_t reads_per_minute = 1200;  // for each credential; 0: no limit
    std::int64_t writes_per_minute = 300;
    std::int64_t public_reads_per_minute = 120;  // /api/public/v1
    std::int64_t public_writes_per_minute = 20;
    std::int64_t refusals_per_minute = 120;  // wrong credentials of one peer
    std::int64_t streams_per_credential = 10;
    std::size_t body_bytes = 1024 * 1024;
    std::size_t connections = 20'000;
};

struct Settings {
    std::string state_dir;
    std::string listen = "127.0.0.1:8480";  // HOST:PORT; port 0 lets the system choose
    std::string store_file = "control.db";
    std::string secrets_key_file = "secrets.key";
    std::string tls_certificate_file;  // both or none
    std::string tls_key_file;
    log::Level log_level = log::Level::info;
    TokenSettings tokens;
    ApiLimits limits;
};

inline constexpr const char* kSettingsFile = "control.toml";

// Reads <state_dir>/control.toml. Every problem at once, each with line and key; relative paths are resolved.
Result<Settings> load_settings(const std::string& state_dir);

// The text of a new control.toml, every key with its default.
std::string settings_text(const std::string& listen);

}  // namespace backstay
