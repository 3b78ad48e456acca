// Accounts and groups by their names, and which account a process acts as.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/result.h"

namespace backstay {

std::optional<uid_t> account_named(const std::string& name);
// The one that its files get.
std::optional<gid_t> group_of_account(const std::string& name);
std::optional<std::string> name_of_account(uid_t account);
std::optional<gid_t> group_named(const std::string& name);

// A process of root's goes on as this account, with its groups, for good. For anybody else it is denied.
Result<> become_account(uid_t account);

}  // namespace backstay
