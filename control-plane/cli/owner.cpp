#include "control-plane/cli/owner.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace backstay::cli {

Result<> become_owner(const std::string& state_dir) {
    struct stat folder {};
    if (::geteuid() != 0 || ::stat(state_dir.c_str(), &folder) != 0 || folder.st_uid == 0) return {};
    std::vector<char> names(16 * 1024);
    struct passwd entry {};
    struct passwd* found = nullptr;
    ::getpwuid_r(folder.st_uid, &entry, names.data(), names.size(), &found);
    // An account without a name has no further groups.
    const gid_t group = found != nullptr ? found->pw_gid : folder.st_gid;
    const int grouped = found != nullptr ? ::initgroups(found->pw_name, group) : ::setgroups(0, nullptr);
    if (grouped != 0 || ::setgid(group) != 0 || ::setuid(folder.st_uid) != 0) {
        return Error::from_errno(errno, "become the owner of " + state_dir);
    }
    return {};
}

}  // namespace backstay::cli
