// Who calls, and what they may do (contract/semantics.md 1.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace backstay::auth {

enum class Role { viewer, developer, admin, owner };
std::optional<Role> parse_role(std::string_view text);
std::string_view to_string(Role role);

// `manage` of a resource contains `view` of it.
enum class Permission : std::uint32_t {
    view_backups = 1U << 0U,     // backups, restores, operations, projects, environments, agents
    manage_backups = 1U << 1U,   // create, delete, cancel, copy, verify; snapshots and their settings
    manage_restores = 1U << 2U,  // restore, undo, rollback
    view_storage = 1U << 3U,     // destinations without their secrets
    manage_storage = 1U << 4U,   // destinations, raw data of customers
    manage_projects = 1U << 5U,  // projects and environments
    manage_agents = 1U << 6U,    // agents and enrolment tokens
    manage_keys = 1U << 7U,      // API keys, the audit trail
    manage_organization = 1U << 8U,
};

class Permissions {
public:
    Permissions() = default;
    static Permissions of(Role role);
    // Words as "view:backups manage:restores", separated by spaces; absent: one of them is unknown.
    static std::optional<Permissions> parse(std::string_view words);

    bool has(Permission permission) const { return (bits_ & static_cast<std::uint32_t>(permission)) != 0; }
    Permissions& add(Permission permission) {
        bits_ |= static_cast<std::uint32_t>(permission);
        return *this;
    }
    // What both grant.
    Permissions meet(Permissions other) const {
        Permissions both;
        both.bits_ = bits_ & other.bits_;
        return both;
    }
    // What either grants.
    Permissions join(Permissions other) const {
        Permissions either;
        either.bits_ = bits_ | other.bits_;
        return either;
    }
    Permissions without(Permission permission) const {
        Permissions rest;
        rest.bits_ = bits_ & ~static_cast<std::uint32_t>(permission);
        return rest;
    }
    // What is left of them within one project: nothing that changes what all projects share.
    Permissions within_project() const {
        return without(Permission::manage_storage)
            .without(Permission::manage_agents)
            .without(Permission::manage_organization);
    }
    std::string words() const;
    friend bool operator==(Permissions, Permissions) = default;

private:
    std::uint32_t bits_ = 0;
};

// "view:backups"
std::string_view word_of(Permission permission);

struct Principal {
    enum class Kind { nobody, user, api_key, agent };

    Kind kind = Kind::nobody;
    std::string id;    // subject of the token, id of the key, id of the agent
    std::string name;  // as logs and `performedBy` show it: e-mail, "api-key:<prefix>", "agent:<name>"
    Role role = Role::viewer;
    Permissions permissions;
    bool read_only = false;
    std::optional<std::string> project_id;  // a key limited to one project sees nothing else

    bool may(Permission permission) const { return permissions.has(permission); }
    // Restores into production are for people who answer for it.
    bool may_restore_production() const { return may(Permission::manage_restores) && role >= Role::admin; }
    bool may_see_project(std::string_view project) const { return !project_id || *project_id == project; }
};

}  // namespace backstay::auth
