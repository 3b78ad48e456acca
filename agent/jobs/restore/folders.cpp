#include "agent/jobs/restore/folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/files/files.h"

namespace backstay::restore {
namespace {

Result<> rename_with(const std::string& from, const std::string& to, unsigned flags) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
        return Error::from_errno(errno, fmt::format("rename {} to {}", from, to));
    }
    TRY(fsync_folder(parent_of(from)));
    if (parent_of(to) != parent_of(from)) TRY(fsync_folder(parent_of(to)));
    return {};
}

}  // namespace

bool may_give_files_away() {
    constexpr unsigned long long kChown = 1;  // bit 0: CAP_CHOWN
    // /proc has no sizes: read it as a stream.
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("CapEff:")) return (std::strtoull(line.c_str() + 7, nullptr, 16) & kChown) != 0;
    }
    return false;
}

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::optional<std::string>> folder_identity(const std::string& path) {
    struct statx status {};
    if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, &status) != 0) {
        if (errno == ENOENT) return std::optional<std::string>();
        return Error::from_errno(errno, "look at " + path);
    }
    if (!S_ISDIR(status.stx_mode)) return Error(Errc::invalid, path + " is not a folder");
    std::string identity = fmt::format("{}", status.stx_ino);
    if ((status.stx_mask & STATX_BTIME) != 0) {
        identity += fmt::format("@{}.{:09}", status.stx_btime.tv_sec, status.stx_btime.tv_nsec);
    }
    return std::optional<std::string>(std::move(identity));
}

Result<> exchange_folders(const std::string& one, const std::string& other) {
    return rename_with(one, other, RENAME_EXCHANGE);
}

Result<> rename_folder(const std::string& from, const std::string& to) {
    return rename_with(from, to, RENAME_NOREPLACE);
}

Result<> remove_folder(const std::string& path) {
    std::error_code fault;
    std::filesystem::remove_all(path, fault);
    if (fault && fault.value() != ENOENT) return Error::from_errno(fault.value(), "remove " + path);
    return {};
}

Result<> sync_file_system(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) return Error::from_errno(errno, "open " + path);
    const int failed = syncfs(fd);
    const int reason = errno;
    close(fd);
    if (failed != 0) return Error::from_errno(reason, "write out " + path);
    return {};
}

}  // namespace backstay::restore
