// Credentials: the secrets that callers send, how they are told apart, made and kept. Every random secret has 256 bits
// and is stored as its SHA-256 only.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/http/message.h"
#include "common/result.h"

namespace backstay::auth {

inline constexpr std::string_view kReadKeyPrefix = "bks_ro_";
inline constexpr std::string_view kWriteKeyPrefix = "bks_rw_";
inline constexpr std::string_view kAgentPrefix = "bks_agent_";
inline constexpr std::string_view kEnrollPrefix = "bks_enroll_";

// A new secret with one of the prefixes above.
std::string new_secret(std::string_view prefix);
// What the store keeps of a secret.
std::string hash_secret(std::string_view secret);
// "bks_rw_Ab12Cd34": enough to recognise a key in a list.
std::string display_prefix(std::string_view key);

struct Credential {
    enum class Kind { none, token, api_key, agent };
    Credential() = default;
    Credential(Kind kind_, std::string secret_, bool from_query_)
        : kind(kind_), secret(std::move(secret_)), from_query(from_query_), hash(hash_secret(secret)) {}
    Kind kind = Kind::none;
    std::string secret;
    bool from_query = false;  // ?access_token= of an event stream
    std::string hash;         // of the secret, as the store keeps it
};

// Reads Authorization: Bearer, X-API-Key (only when `api_key_header`; Authorization wins) or ?access_token= (only when
// `query_token`). 401 invalid_auth for another scheme or a malformed header.
Result<Credential> credential_of(const http::Request& request, bool api_key_header, bool query_token);

}  // namespace backstay::auth
