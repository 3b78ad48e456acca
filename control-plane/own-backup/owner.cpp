#include "control-plane/own-backup/owner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/process/account.h"

namespace backstay::own_backup {
namespace {

constexpr const char* kAccount = "backstay-control";  // as the package makes it

}  // namespace

std::optional<Owner> owner_of(const std::string& state_dir, Restored& restored) {
    struct stat folder {};
    if (::geteuid() != 0 || ::stat(state_dir.c_str(), &folder) != 0) return std::nullopt;
    if (folder.st_uid != 0) return Owner{folder.st_uid, folder.st_gid};
    // By name: the same number may be anybody here.
    const About& about = restored.about;
    if (about.owner == 0) return std::nullopt;
    for (const std::string& name : {about.owner_name.value_or(kAccount), std::string(kAccount)}) {
        if (const auto account = account_named(name))
            return Owner{*account, group_of_account(name).value_or(static_cast<gid_t>(-1))};
    }
    restored.no_account = about.owner_name.value_or(kAccount);
    return std::nullopt;
}

Result<> give(const std::string& path, const std::optional<Owner>& owner) {
    if (!owner || ::lchown(path.c_str(), owner->user, owner->group) == 0) return {};
    return Error::from_errno(errno, "give away " + path);
}

Result<> give_folder(const std::string& path, const std::optional<Owner>& owner) {
    if (!owner) return {};
    TRY(give(path, owner));
    std::error_code fault;
    const auto end = std::filesystem::recursive_directory_iterator();
    for (auto at = std::filesystem::recursive_directory_iterator(path, fault); !fault && at != end;
         at.increment(fault)) {
        TRY(give(at->path().string(), owner));
    }
    if (fault) return Error::from_errno(fault.value(), "look into " + path);
    return {};
}

}  // namespace backstay::own_backup
