#include "control-plane/auth/principal.h"

#include <array>
#include <utility>

namespace backstay::auth {
namespace {

constexpr std::array<std::pair<Permission, std::string_view>, 9> kWords = {{
    {Permission::view_backups, "view:backups"},
    {Permission::manage_backups, "manage:backups"},
    {Permission::manage_restores, "manage:restores"},
    {Permission::view_storage, "view:storage"},
    {Permission::manage_storage, "manage:storage"},
    {Permission::manage_projects, "manage:projects"},
    {Permission::manage_agents, "manage:agents"},
    {Permission::manage_keys, "manage:keys"},
    {Permission::manage_organization, "manage:organization"},
}};

constexpr std::array<std::pair<Role, std::string_view>, 4> kRoles = {{
    {Role::viewer, "viewer"},
    {Role::developer, "developer"},
    {Role::admin, "admin"},
    {Role::owner, "owner"},
}};

void add_implied(Permissions& permissions, Permission permission) {
    permissions.add(permission);
    if (permission == Permission::manage_storage) permissions.add(Permission::view_storage);
    if (permission != Permission::view_storage) permissions.add(Permission::view_backups);
}

}  // namespace

std::optional<Role> parse_role(std::string_view text) {
    for (const auto& [role, word] : kRoles) {
        if (word == text) return role;
    }
    return std::nullopt;
}

std::string_view to_string(Role role) { return kRoles[static_cast<std::size_t>(role)].second; }

std::string_view word_of(Permission permission) {
    for (const auto& [value, word] : kWords) {
        if (value == permission) return word;
    }
    return "";
}

Permissions Permissions::of(Role role) {
    Permissions permissions;
    permissions.add(Permission::view_backups).add(Permission::view_storage);
    if (role >= Role::developer) {
        permissions.add(Permission::manage_backups).add(Permission::manage_restores).add(Permission::manage_projects);
    }
    if (role >= Role::admin) {
        permissions.add(Permission::manage_storage).add(Permission::manage_agents).add(Permission::manage_keys);
    }
    if (role >= Role::owner) permissions.add(Permission::manage_organization);
    return permissions;
}

std::optional<Permissions> Permissions::parse(std::string_view words) {
    Permissions permissions;
    while (!words.empty()) {
        const std::size_t end = words.find(' ');
        const std::string_view word = words.substr(0, end);
        words.remove_prefix(end == std::string_view::npos ? words.size() : end + 1);
        if (word.empty()) continue;
        bool known = false;
        for (const auto& [permission, name] : kWords) {
            if (name != word) continue;
            add_implied(permissions, permission);
            known = true;
        }
        if (!known) return std::nullopt;
    }
    return permissions;
}

std::string Permissions::words() const {
    std::string text;
    for (const auto& [permission, word] : kWords) {
        if (!has(permission)) continue;
        if (!text.empty()) text += ' ';
        text += word;
    }
    return text;
}

}  // namespace backstay::auth
