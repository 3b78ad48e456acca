#include "control-plane/registry/registry.h"

#include <algorithm>

#include "common/ids.h"
#include "control-plane/api/answer.h"
#include "control-plane/auth/credential.h"
#include "control-plane/store/agents.h"
#include "control-plane/store/audit.h"

namespace backstay::registry {
namespace {

constexpr std::int64_t kLongestEnrolmentS = 30LL * 24 * 3600;

bool slug_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

Result<> check_slug(std::string_view slug) {
    const bool good = slug.size() >= 3 && slug.size() <= 50 && std::all_of(slug.begin(), slug.end(), slug_character) &&
                      slug.front() != '-' && slug.back() != '-' && slug.find("--") == std::string_view::npos;
    if (good) return {};
    return api::rule_broken("invalid_slug", "slug",
                            "a slug has 3 to 50 lower-case letters, digits and single hyphens inside");
}

// Absolute and without steps upward: it names a place on the agent's host.
Result<> check_path(std::string_view field, const std::optional<std::string>& path) {
    if (!path) return {};
    const bool good = path->starts_with('/') && path->size() <= 1024 && path->find('\0') == std::string::npos &&
                      path->find("/../") == std::string::npos && !path->ends_with("/..");
    if (good) return {};
    return api::rule_broken("invalid_path", field, std::string(field) + " must be an absolute path");
}

Error taken(const Error& error, std::string_view code, std::string message) {
    if (error.code() == Errc::conflict) return api::conflict(code, std::move(message));
    return error;
}

Result<> check_environment(sql::Transaction& tx, const store::Environment& environment) {
    TRY(check_name("name", environment.name));
    TRY(check_name("description", environment.description, 0, 1000));
    TRY(check_name("database", environment.database, 1, 63));
    if (environment.cluster) TRY(check_name("cluster", *environment.cluster));
    TRY(check_path("filestore", environment.filestore));
    TRY(check_path("odooConf", environment.odoo_conf));
    const auto agent = TRY(store::Agents(tx.database()).find(environment.organization_id, environment.agent_id));
    if (!agent) return api::rule_broken("agent_not_found", "agentId", "the organization has no such agent");
    return {};
}

Error environment_taken(const Error& error) {
    const auto constraint = error.facts().find("constraint");
    const bool name = constraint != error.facts().end() && constraint->second.find("name") != std::string::npos;
    return name ? taken(error, "environment_exists", "the project has an environment of that name")
                : taken(error, "database_taken", "another environment has this database on this agent");
}

}  // namespace

Result<> check_name(std::string_view field, std::string_view name, std::size_t least, std::size_t most) {
    const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7F;
    });
    // Bytes that begin a character; the JSON parser has refused broken UTF-8.
    const auto characters = static_cast<std::size_t>(std::count_if(
        name.begin(), name.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    const bool trimmed = name.empty() || (name.front() != ' ' && name.back() != ' ');
    if (plain && trimmed && characters >= least && characters <= most) return {};
    return api::rule_broken("invalid_name", field,
                            std::string(field) + " must have " + std::to_string(least) + " to " + std::to_string(most) +
                                " characters, no control characters, no spaces around it");
}

Result<> note(sql::Transaction& tx, const Actor& actor, std::string_view organization, std::string_view action,
              std::string_view object_id, std::string_view detail) {
    store::AuditEntry entry;
    entry.organization_id = organization;
    entry.at = actor.now;
    entry.actor = actor.name;
    entry.action = action;
    entry.object_id = object_id;
    entry.detail = detail;
    entry.request_id = actor.request_id;
    entry.actor_id = actor.id;
    entry.request = actor.request;
    entry.peer = actor.peer;
    return store::Audit(tx.database()).add(entry);
}

Result<store::Organization> create_organization(sql::Transaction& tx, const Actor& actor, std::string_view slug,
                                                std::string_view name) {
    TRY(check_slug(slug));
    TRY(check_name("name", name, 2));
    auto made = store::Organizations(tx.database()).create(slug, name, actor.now);
    if (!made) return taken(made.error(), "slug_taken", "an organization has this slug already");
    TRY(note(tx, actor, made->id, "organization.create", made->id, slug));
    return made;
}

Result<store::Project> create_project(sql::Transaction& tx, const Actor& actor, std::string_view organization,
                                      std::string_view name, std::string_view description) {
    TRY(check_name("name", name));
    TRY(check_name("description", description, 0, 1000));
    auto made = store::Projects(tx.database()).create(organization, name, description, actor.now);
    if (!made) return taken(made.error(), "project_exists", "the organization has a project of that name");
    TRY(note(tx, actor, organization, "project.create", made->id, name));
    return made;
}

Result<store::Environment> create_environment(sql::Transaction& tx, const Actor& actor,
                                              const store::Environment& wanted) {
    if (wanted.type != "production" && wanted.type != "staging" && wanted.type != "development") {
        return api::rule_broken("invalid_type", "type", "type must be production, staging or development");
    }
    TRY(check_environment(tx, wanted));
    auto made = store::Environments(tx.database()).create(wanted, actor.now);
    if (!made) return environment_taken(made.error());
    TRY(note(tx, actor, made->organization_id, "environment.create", made->id, made->name));
    return made;
}

Result<> update_environment(sql::Transaction& tx, const Actor& actor, store::Environment& changed) {
    TRY(check_environment(tx, changed));
    changed.updated_at = actor.now;
    if (auto updated = store::Environments(tx.database()).update(changed); !updated) {
        return environment_taken(updated.error());
    }
    return note(tx, actor, changed.organization_id, "environment.update", changed.id, changed.name);
}

Result<MadeKey> create_key(sql::Transaction& tx, const Actor& actor, std::string_view organization,
                           const NewKey& wanted) {
    TRY(check_name("name", wanted.name, 0));
    if (wanted.project_id && !TRY(store::Projects(tx.database()).find(organization, *wanted.project_id))) {
        return api::rule_broken("project_not_found", "projectId", "the organization has no such project");
    }
    if (wanted.expires_at && *wanted.expires_at <= actor.now) {
        return api::rule_broken("invalid_expiry", "expiresAt", "expiresAt must lie in the future");
    }
    // A key never makes keys or administers the organization; one for a project stays within it.
    auth::Permissions most = auth::Permissions::of(wanted.read_only ? auth::Role::viewer : auth::Role::admin);
    if (wanted.project_id) most = most.meet(auth::Permissions::of(auth::Role::developer));
    most = most.without(auth::Permission::manage_keys);
    const auto permissions = wanted.permissions.value_or(most).meet(most);
    MadeKey made;
    made.secret = auth::new_secret(wanted.read_only ? auth::kReadKeyPrefix : auth::kWriteKeyPrefix);
    made.row.id = new_uuid();
    made.row.organization_id = organization;
    made.row.project_id = wanted.project_id;
    made.row.name = wanted.name;
    made.row.mode = wanted.read_only ? "ro" : "rw";
    made.row.prefix = auth::display_prefix(made.secret);
    made.row.permissions = permissions.words();
    made.row.created_by = actor.name;
    made.row.created_at = actor.now;
    made.row.expires_at = wanted.expires_at;
    TRY(store::ApiKeys(tx.database()).create(made.row, auth::hash_secret(made.secret)));
    TRY(note(tx, actor, organization, "key.create", made.row.id, made.row.prefix));
    return made;
}

Result<MadeToken> create_enroll_token(sql::Transaction& tx, const Actor& actor, std::string_view organization,
                                      std::string_view agent_name, std::int64_t lifetime_s) {
    TRY(check_name("name", agent_name, 0));
    if (lifetime_s < 1 || lifetime_s > kLongestEnrolmentS) {
        return api::rule_broken("invalid_lifetime", "ttlSeconds", "a token lives from 1 second to 30 days");
    }
    MadeToken made;
    made.secret = auth::new_secret(auth::kEnrollPrefix);
    made.row = {new_uuid(),
                std::string(organization),
                std::string(agent_name),
                actor.name,
                actor.now,
                actor.now + lifetime_s * 1000,
                std::nullopt,
                std::nullopt};
    TRY(store::EnrollTokens(tx.database()).create(made.row, auth::hash_secret(made.secret)));
    TRY(note(tx, actor, organization, "enroll_token.create", made.row.id, agent_name));
    return made;
}

}  // namespace backstay::registry
