#include "common/process/account.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace backstay {

namespace {

std::optional<struct passwd> entry_of(const std::string& name, std::vector<char>& text) {
    text.resize(16 * 1024);
    struct passwd entry {};
    struct passwd* found = nullptr;
    ::getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found);
    return found != nullptr ? std::optional(*found) : std::nullopt;
}

}  // namespace

std::optional<uid_t> account_named(const std::string& name) {
    std::vector<char> text;
    const auto entry = entry_of(name, text);
    return entry ? std::optional(entry->pw_uid) : std::nullopt;
}

std::optional<gid_t> group_of_account(const std::string& name) {
    std::vector<char> text;
    const auto entry = entry_of(name, text);
    return entry ? std::optional(entry->pw_gid) : std::nullopt;
}

std::optional<std::string> name_of_account(uid_t account) {
    std::vector<char> text(16 * 1024);
    struct passwd entry {};
    struct passwd* found = nullptr;
    ::getpwuid_r(account, &entry, text.data(), text.size(), &found);
    return found != nullptr ? std::optional<std::string>(found->pw_name) : std::nullopt;
}

std::optional<gid_t> group_named(const std::string& name) {
    // Large groups list all their members.
    std::vector<char> text(64 * 1024);
    struct group entry {};
    struct group* found = nullptr;
    ::getgrnam_r(name.c_str(), &entry, text.data(), text.size(), &found);
    return found != nullptr ? std::optional(found->gr_gid) : std::nullopt;
}

Result<> become_account(uid_t account) {
    std::vector<char> text(16 * 1024);
    struct passwd entry {};
    struct passwd* found = nullptr;
    ::getpwuid_r(account, &entry, text.data(), text.size(), &found);
    // An account without a name has no group of its own and no further ones.
    const gid_t group = found != nullptr ? found->pw_gid : static_cast<gid_t>(account);
    const int grouped = found != nullptr ? ::initgroups(found->pw_name, group) : ::setgroups(0, nullptr);
    if (grouped != 0 || ::setgid(group) != 0 || ::setuid(account) != 0) {
        return Error::from_errno(errno, "become another account");
    }
    return {};
}

}  // namespace backstay
