// What a token says, once it is known to be genuine (contract/semantics.md 1.3). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/result.h"
#include "control-plane/auth/principal.h"

namespace backstay::auth {

struct OrganizationClaim {
    std::string id;
    std::string slug;
    Role role = Role::viewer;
};

struct Claims {
    std::string subject;
    std::string name;                              // the e-mail, else the subject
    std::optional<std::string> organization_id;    // `org`
    std::vector<OrganizationClaim> organizations;  // `orgs`
    std::optional<Role> role;
    std::optional<Permissions> permissions;  // `perms`: narrows what the role grants
    std::optional<std::string> project_id;
    std::int64_t lifetime_s = 0;  // exp - iat; 0 when iat is missing
    TimeMs expires_at = 0;
};

// Claims with the wrong type are refused (401 invalid_token); unknown ones are ignored.
Result<Claims> read_claims(const json::Object& token);

}  // namespace backstay::auth
