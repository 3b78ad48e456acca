// Whose a restored installation is: root works for the account that will run the server.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/result.h"
#include "control-plane/own-backup/restore.h"

namespace backstay::own_backup {

struct Owner {
    uid_t user = 0;
    gid_t group = static_cast<gid_t>(-1);  // as it is
};

// Of what is put into this folder; nullopt: the caller's own. Says in `restored` when root stays for want of an
// account.
std::optional<Owner> owner_of(const std::string& state_dir, Restored& restored);

// The folder with all in it.
Result<> give_folder(const std::string& path, const std::optional<Owner>& owner);
Result<> give(const std::string& path, const std::optional<Owner>& owner);

}  // namespace backstay::own_backup
