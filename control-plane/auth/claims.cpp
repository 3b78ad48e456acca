#include "control-plane/auth/claims.h"

#include "control-plane/api/answer.h"

namespace backstay::auth {
namespace {

Error invalid(std::string_view claim) {
    return api::problem(401, "invalid_token", "the token's claim `" + std::string(claim) + "` is not as it must be");
}

Result<std::optional<std::string>> text_claim(const json::Object& token, std::string_view name) {
    const json::Value* value = token.if_contains(name);
    if (value == nullptr || value->is_null()) return std::optional<std::string>();
    const auto* text = value->if_string();
    if (text == nullptr || text->empty()) return invalid(name);
    return std::optional<std::string>(std::string(text->data(), text->size()));
}

Result<std::optional<Role>> role_claim(const json::Object& token) {
    const auto text = TRY(text_claim(token, "role"));
    if (!text) return std::optional<Role>();
    const auto role = parse_role(*text);
    if (!role) return invalid("role");
    return role;
}

Result<std::vector<OrganizationClaim>> organization_claims(const json::Object& token) {
    std::vector<OrganizationClaim> organizations;
    const json::Value* value = token.if_contains("orgs");
    if (value == nullptr || value->is_null()) return organizations;
    const json::Array* array = value->if_array();
    if (array == nullptr) return invalid("orgs");
    for (const json::Value& item : *array) {
        const json::Object* object = item.if_object();
        if (object == nullptr) return invalid("orgs");
        auto id = TRY(text_claim(*object, "id"));
        auto slug = TRY(text_claim(*object, "slug"));
        const auto role = TRY(role_claim(*object));
        if (!id) return invalid("orgs");
        organizations.push_back({std::move(*id), slug.value_or(""), role.value_or(Role::viewer)});
    }
    return organizations;
}

// Words that this version does not know grant nothing.
Result<std::optional<Permissions>> permission_claim(const json::Object& token) {
    const json::Value* value = token.if_contains("perms");
    if (value == nullptr || value->is_null()) return std::optional<Permissions>();
    const json::Array* array = value->if_array();
    if (array == nullptr) return invalid("perms");
    Permissions permissions;
    for (const json::Value& item : *array) {
        const auto* word = item.if_string();
        if (word == nullptr) return invalid("perms");
        const auto known = Permissions::parse(std::string_view(word->data(), word->size()));
        if (known) permissions = permissions.join(*known);
    }
    return std::optional<Permissions>(permissions);
}

// Whole seconds of a date from 1970 to 9999; two of them differ without overflow.
Result<std::optional<std::int64_t>> date_claim(const json::Object& token, std::string_view name) {
    constexpr std::int64_t kMost = 253'402'300'799;
    const json::Value* value = token.if_contains(name);
    if (value == nullptr || value->is_null()) return std::optional<std::int64_t>();
    if (const auto* whole = value->if_int64(); whole != nullptr && *whole >= 0 && *whole <= kMost) {
        return std::optional<std::int64_t>(*whole);
    }
    // Also refuses what is not a number.
    if (const auto* exact = value->if_double(); exact != nullptr && *exact >= 0 && *exact <= double{kMost}) {
        return std::optional<std::int64_t>(static_cast<std::int64_t>(*exact));
    }
    return invalid(name);
}

}  // namespace

Result<Claims> read_claims(const json::Object& token) {
    Claims claims;
    const auto type = TRY(text_claim(token, "typ"));
    if (type && *type != "access") return api::problem(401, "invalid_token", "this is no access token");
    auto subject = TRY(text_claim(token, "sub"));
    if (!subject) return invalid("sub");
    claims.subject = std::move(*subject);
    claims.name = TRY(text_claim(token, "email")).value_or(claims.subject);
    claims.organization_id = TRY(text_claim(token, "org"));
    claims.organizations = TRY(organization_claims(token));
    claims.role = TRY(role_claim(token));
    claims.permissions = TRY(permission_claim(token));
    claims.project_id = TRY(text_claim(token, "project"));
    const auto issued = TRY(date_claim(token, "iat"));
    const auto ends = TRY(date_claim(token, "exp"));
    claims.expires_at = ends.value_or(0) * 1000;
    if (issued) claims.lifetime_s = ends.value_or(0) - *issued;
    return claims;
}

}  // namespace backstay::auth
