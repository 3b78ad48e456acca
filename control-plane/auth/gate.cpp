#include "control-plane/auth/gate.h"

#include "control-plane/api/answer.h"
#include "control-plane/store/api_keys.h"
#include "control-plane/store/organizations.h"

namespace backstay::auth {
namespace {

Error missing() { return api::problem(401, "missing_auth", "send a token or an API key as `Authorization: Bearer …`"); }

Error no_organization() { return api::not_found("organization"); }

// The role that the token itself gives in this organization.
std::optional<Role> claimed_role(const Claims& claims, const std::string& organization_id) {
    for (const OrganizationClaim& claim : claims.organizations) {
        if (claim.id == organization_id) return claim.role;
    }
    if (claims.organization_id == organization_id) return claims.role;
    return std::nullopt;
}

bool names_organization(const Claims& claims, const std::string& id) {
    if (claims.organization_id == id) return true;
    for (const OrganizationClaim& claim : claims.organizations) {
        if (claim.id == id) return true;
    }
    return false;
}

// Who belongs to it: those whose token names it, and members that the store knows.
Result<Role> role_in(const Claims& claims, const std::string& organization_id, sql::Database& db) {
    if (const auto role = claimed_role(claims, organization_id)) return *role;
    const auto member = TRY(store::Organizations(db).role_of(organization_id, claims.subject));
    if (member) return parse_role(*member).value_or(Role::viewer);
    if (names_organization(claims, organization_id)) return Role::viewer;
    return no_organization();
}

Principal user_principal(const Claims& claims, Role role) {
    Principal principal;
    principal.kind = Principal::Kind::user;
    principal.id = claims.subject;
    principal.name = claims.name;
    principal.role = role;
    principal.permissions = Permissions::of(role);
    if (claims.permissions) principal.permissions = principal.permissions.meet(*claims.permissions);
    principal.project_id = claims.project_id;
    if (principal.project_id) principal.permissions = principal.permissions.within_project();
    return principal;
}

Error token_problem(const Error& error) {
    const auto fact = error.facts().find("token");
    const std::string why = fact == error.facts().end() ? "malformed" : fact->second;
    if (why == "expired") return api::problem(401, "token_expired", "the token has expired");
    return api::problem(401, "invalid_token", "the token is not accepted here (" + why + ")");
}

}  // namespace

Result<Claims> Gate::verified_claims(const Credential& credential, TimeMs now) const {
    if (auto known = known_.find(credential.hash, now)) return std::move(*known);
    const auto token = verifier_.verify(credential.secret, now);
    if (!token) return token_problem(token.error());
    auto claims = TRY(read_claims(*token));
    known_.keep(credential.hash, claims, now);
    return claims;
}

Result<Claims> Gate::claims_of(const Credential& credential, TimeMs now) const {
    auto claims = TRY(verified_claims(credential, now));
    if (credential.from_query && (claims.lifetime_s <= 0 || claims.lifetime_s > kQueryTokenSeconds)) {
        return api::problem(401, "token_too_long_lived", "a token in a URL may live for 5 minutes at most");
    }
    return claims;
}

Result<std::string> Gate::choose(const Claims& claims, std::string_view slug, sql::Database& db, TimeMs now) const {
    std::string_view named = slug;
    if (slug.empty() && claims.organization_id) named = *claims.organization_id;
    if (named.empty() && claims.organizations.size() == 1) named = claims.organizations.front().id;
    if (named.empty()) return api::problem(400, "org_required", "name the organization in the header X-Org-Slug");
    // A slug that looks like an id is none of another organization's.
    const std::string key = (slug.empty() ? "id " : "slug ") + std::string(named);
    if (auto known = organizations_.find(key, now)) return std::move(*known);
    store::Organizations organizations(db);
    auto found = slug.empty() ? TRY(organizations.by_id(named)) : TRY(organizations.by_slug(named));
    if (!found) return no_organization();
    organizations_.keep(key, found->id, now);
    return std::move(found->id);
}

Result<Admission> Gate::admit_member(const Credential& credential, std::string_view slug, sql::Database& db,
                                     TimeMs now) const {
    switch (credential.kind) {
        case Credential::Kind::none:
            return missing();
        case Credential::Kind::agent:
            return api::problem(401, "invalid_auth", "an agent's credential opens nothing here");
        case Credential::Kind::api_key:
            return admit_key(credential, slug, db, now);
        case Credential::Kind::token:
            break;
    }
    const auto claims = TRY(claims_of(credential, now));
    auto organization_id = TRY(choose(claims, slug, db, now));
    const Role role = TRY(role_in(claims, organization_id, db));
    return Admission{user_principal(claims, role), std::move(organization_id)};
}

Result<Admission> Gate::admit_user(const Credential& credential, sql::Database& db, TimeMs now) const {
    if (credential.kind == Credential::Kind::none) return missing();
    if (credential.kind != Credential::Kind::token) {
        return api::problem(403, "user_required", "this is for people, not for API keys or agents");
    }
    const auto claims = TRY(claims_of(credential, now));
    Admission admission{user_principal(claims, claims.role.value_or(Role::viewer)), ""};
    if (claims.organization_id) {
        const auto organization = TRY(store::Organizations(db).by_id(*claims.organization_id));
        if (organization) admission.organization_id = organization->id;
    }
    return admission;
}

Result<Admission> Gate::admit_key(const Credential& credential, std::string_view slug, sql::Database& db,
                                  TimeMs now) const {
    if (credential.from_query) return api::problem(401, "invalid_auth", "an API key never stands in a URL");
    auto key = TRY(store::ApiKeys(db).by_hash(credential.hash, now));
    if (!key) return api::problem(401, "invalid_key", "the API key is unknown, revoked or expired");
    if (!slug.empty()) {
        const auto organization = TRY(store::Organizations(db).by_slug(slug));
        if (!organization || organization->id != key->organization_id) return no_organization();
    }
    Principal principal;
    principal.kind = Principal::Kind::api_key;
    principal.id = key->id;
    principal.name = "api-key:" + key->prefix;
    // A key for one project has a developer's rights: restores into production are not among them (semantics 1.3).
    const Role writes = key->project_id ? Role::developer : Role::admin;
    principal.role = key->mode == "rw" ? writes : Role::viewer;
    principal.permissions = Permissions::parse(key->permissions).value_or(Permissions());
    principal.read_only = key->mode == "ro";
    principal.project_id = std::move(key->project_id);
    if (principal.project_id) principal.permissions = principal.permissions.within_project();
    return Admission{std::move(principal), std::move(key->organization_id)};
}

Result<Admission> Gate::admit_agent(const Credential& credential, sql::Database& db) const {
    if (credential.kind == Credential::Kind::none) return missing();
    if (credential.kind != Credential::Kind::agent) {
        return api::problem(401, "invalid_auth", "this is for agents with their own credential");
    }
    auto agent = TRY(store::Agents(db).by_credential(credential.hash));
    if (!agent) return api::problem(401, "unknown_agent", "the agent is not enrolled here, or was removed");
    Principal principal;
    principal.kind = Principal::Kind::agent;
    principal.id = agent->id;
    principal.name = "agent:" + agent->name;
    std::string organization_id = agent->organization_id;
    return Admission{std::move(principal), std::move(organization_id), std::move(agent)};
}

}  // namespace backstay::auth
