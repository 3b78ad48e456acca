#include "control-plane/cli/owner.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/process/account.h"

namespace backstay::cli {

Result<> become_owner(const std::string& state_dir) {
    struct stat folder {};
    if (::geteuid() != 0 || ::stat(state_dir.c_str(), &folder) != 0 || folder.st_uid == 0) return {};
    return become_account(folder.st_uid).context("go on as the owner of " + state_dir);
}

}  // namespace backstay::cli
