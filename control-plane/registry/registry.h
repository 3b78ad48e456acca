// What the API and the command line both do to the registry: the rules for names, references and secrets, and the
// audit trail. Every function runs inside the caller's transaction and refuses with an api::problem.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/transaction.h"
#include "control-plane/auth/principal.h"
#include "control-plane/store/api_keys.h"
#include "control-plane/store/enroll_tokens.h"
#include "control-plane/store/environments.h"
#include "control-plane/store/organizations.h"
#include "control-plane/store/projects.h"

namespace backstay::registry {

// Who acts, for the audit trail.
struct Actor {
    std::string name;  // "cli", an e-mail, "api-key:<prefix>"
    std::string request_id;
    TimeMs now = 0;
    std::string id = {};  // of a user or key
    std::string request = {};
    std::string peer = {};
};

// Slug: 3 to 50 lower-case letters, digits and single hyphens inside; name: 2 to 100 characters.
Result<store::Organization> create_organization(sql::Transaction& tx, const Actor& actor, std::string_view slug,
                                                std::string_view name);

Result<store::Project> create_project(sql::Transaction& tx, const Actor& actor, std::string_view organization,
                                      std::string_view name, std::string_view description);

// Names are checked, project and agent must be the organization's; 409 environment_exists, database_taken.
Result<store::Environment> create_environment(sql::Transaction& tx, const Actor& actor,
                                              const store::Environment& wanted);
Result<> update_environment(sql::Transaction& tx, const Actor& actor, store::Environment& changed);

struct NewKey {
    std::string name;
    bool read_only = true;
    std::optional<std::string> project_id;
    std::optional<auth::Permissions> permissions;  // absent: all that such a key may have
    std::optional<TimeMs> expires_at;
};
struct MadeKey {
    store::ApiKey row;
    std::string secret;  // shown once
};
Result<MadeKey> create_key(sql::Transaction& tx, const Actor& actor, std::string_view organization,
                           const NewKey& wanted);

struct MadeToken {
    store::EnrollToken row;
    std::string secret;  // shown once
};
// For one agent; lives an hour unless told otherwise (at most 30 days).
Result<MadeToken> create_enroll_token(sql::Transaction& tx, const Actor& actor, std::string_view organization,
                                      std::string_view agent_name, std::int64_t lifetime_s);

// The rule for every name that people choose: 1 to 100 characters of valid UTF-8 without control characters.
Result<> check_name(std::string_view field, std::string_view name, std::size_t least = 1, std::size_t most = 100);

Result<> note(sql::Transaction& tx, const Actor& actor, std::string_view organization, std::string_view action,
              std::string_view object_id, std::string_view detail);

}  // namespace backstay::registry
