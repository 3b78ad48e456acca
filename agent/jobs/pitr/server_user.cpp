#include "agent/jobs/pitr/server_user.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/domain/reasons.h"

namespace backstay::pitr {

Result<ServerUser> server_user() {
    ServerUser user{geteuid(), getegid(), {}};
    if (user.uid != 0) return user;
    const passwd* account = getpwnam("postgres");
    if (account == nullptr) {
        return Error(Errc::not_found, "PostgreSQL does not run as root, and there is no user postgres")
            .with_reason(reason::kPreflightFailed);
    }
    user.uid = account->pw_uid;
    user.gid = account->pw_gid;
    user.prefix = {"setpriv",        "--reuid",        std::to_string(user.uid), "--regid", std::to_string(user.gid),
                   "--clear-groups", "--inh-caps=-all"};
    return user;
}

bool may_pass(const ServerUser& user, const std::string& folder) {
    if (user.prefix.empty()) return true;
    for (std::size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
        struct stat status {};
        if (stat(folder.substr(0, slash).c_str(), &status) != 0) return errno == ENOENT;
        const mode_t needed = status.st_uid == user.uid ? S_IXUSR : status.st_gid == user.gid ? S_IXGRP : S_IXOTH;
        if ((status.st_mode & needed) == 0) return false;
        if (slash == std::string::npos) return true;
    }
}

Result<> make_passable(const ServerUser& user, const std::string& folder) {
    if (mkdir(folder.c_str(), 0700) != 0) return Error::from_errno(errno, "make folder " + folder);
    // Whatever the umask of the process is.
    if (user.prefix.empty() || chmod(folder.c_str(), 0711) == 0) return {};
    return Error::from_errno(errno, "open folder " + folder);
}

Result<> give_to(const ServerUser& user, const std::string& path) {
    if (user.prefix.empty() || lchown(path.c_str(), user.uid, user.gid) == 0) return {};
    return Error::from_errno(errno, "give away " + path);
}

}  // namespace backstay::pitr
