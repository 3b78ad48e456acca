// The state folder of a control plane: settings, keys and store, made once by `init` and opened by every command.
#pragma once

#include <string>

#include "common/clock.h"
#include "common/crypto/jwt.h"
#include "common/crypto/secret_box.h"
#include "common/result.h"
#include "control-plane/auth/principal.h"
#include "control-plane/config/settings.h"

namespace backstay {

// Makes the folder (mode 0700) with control.toml, key files and the store. What exists already stays as it is, so that
// a second run after a failure completes the first; a finished installation is a conflict, and so is a `store` that
// holds one. An empty `store` is a file in the folder.
Result<> make_installation(const std::string& state_dir, const std::string& listen, const std::string& store = "");

// "sqlite:PATH" → PATH, absolute; "postgresql://…" stays; all else is invalid.
Result<std::string> parse_store(std::string_view named);

// The store with its schema up to date: `named` ("sqlite:PATH", "postgresql://…"), or the settings' when that is empty.
Result<std::string> ready_store(const Settings& settings, std::string_view named);

Result<SecretBox> open_secret_box(const Settings& settings);
Result<JwtVerifier> open_verifier(const Settings& settings);

// A token as `backstay-control token` and the stream tokens of the API make them. Only with HS256 is the key here.
struct TokenOrder {
    std::string subject;
    std::string organization_id;
    std::string organization_slug;
    auth::Role role = auth::Role::owner;
    std::optional<auth::Permissions> permissions;  // narrows the role
    std::optional<std::string> project_id;
    std::int64_t lifetime_s = 3600;
};

class TokenMaker {
public:
    // invalid when tokens come from elsewhere (RS256, EdDSA).
    static Result<TokenMaker> open(const Settings& settings);
    std::string make(const TokenOrder& order, TimeMs now) const;

private:
    TokenMaker(std::string secret, std::string issuer, std::string audience)
        : secret_(std::move(secret)), issuer_(std::move(issuer)), audience_(std::move(audience)) {}
    std::string secret_;
    std::string issuer_;
    std::string audience_;
};

}  // namespace backstay
