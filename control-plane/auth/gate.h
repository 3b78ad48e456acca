// The gate: from a credential to a principal, and to the organization that a call is about. Runs on database threads;
// it is shared by them, and
// what it knows does not change.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/crypto/jwt.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/auth/claims.h"
#include "control-plane/auth/credential.h"
#include "control-plane/auth/known_tokens.h"
#include "control-plane/auth/principal.h"
#include "control-plane/store/agents.h"

namespace backstay::auth {

inline constexpr std::int64_t kQueryTokenSeconds = 300;  // a token in a URL may live no longer

struct Admission {
    Principal principal;
    std::string organization_id;             // empty for users who name none
    std::optional<store::Agent> agent = {};  // who was admitted as one
};

class Gate {
public:
    explicit Gate(JwtVerifier verifier) : verifier_(std::move(verifier)) {}

    // A user or an API key within one organization: the one of `slug` (X-Org-Slug; empty when not sent), else the
    // token's single `org`. 401 missing_auth, invalid_token, token_expired, invalid_key; 400 org_required; 404 for an
    // organization that the subject does not belong to.
    Result<Admission> admit_member(const Credential& credential, std::string_view slug, sql::Database& db,
                                   TimeMs now) const;
    // A user whatever the organization; the principal has no permissions.
    Result<Admission> admit_user(const Credential& credential, sql::Database& db, TimeMs now) const;
    Result<Admission> admit_agent(const Credential& credential, sql::Database& db) const;

    // The claims of a user's token.
    Result<Claims> claims_of(const Credential& credential, TimeMs now) const;

private:
    // The id of the organization that the caller speaks for.
    Result<std::string> choose(const Claims& claims, std::string_view slug, sql::Database& db, TimeMs now) const;
    Result<Claims> verified_claims(const Credential& credential, TimeMs now) const;
    Result<Admission> admit_key(const Credential& credential, std::string_view slug, sql::Database& db,
                                TimeMs now) const;

    JwtVerifier verifier_;
    static constexpr std::size_t kOrganizationsMost = 10'000;
    static constexpr TimeMs kOrganizationKnownMs = 10'000;
    // Both save work and change no answer: an organization does not go, and keeps its slug.
    mutable KnownTokens known_;
    mutable Lately<std::string> organizations_{kOrganizationsMost, kOrganizationKnownMs};  // id or slug → id
};

}  // namespace backstay::auth
