#include "storage/directory/beneath.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "common/domain/reasons.h"

namespace backstay::directory {

Error file_error(int errno_value, std::string_view what) {
    switch (errno_value) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return Error(Errc::exhausted, Error::from_errno(errno_value, what).message())
                .with_reason(reason::kDestinationFull);
        case ENOENT:
            return Error(Errc::not_found, Error::from_errno(errno_value, what).message())
                .with_reason(reason::kRemoteMissing);
        case EACCES:
        case EPERM:
        case EROFS:
            return Error(Errc::denied, Error::from_errno(errno_value, what).message())
                .with_reason(reason::kDestinationAuthFailed);
        case ELOOP:
            return Error(Errc::denied, fmt::format("{}: a symbolic link is in the way", what));
        case EIO:
        case ESTALE:
        case ENODEV:
        case ENXIO:
        case ENOTCONN:
        case EHOSTDOWN:
        case ETIMEDOUT:
            return Error(Errc::unavailable, Error::from_errno(errno_value, what).message())
                .with_reason(reason::kDestinationUnreachable);
        default:
            return Error::from_errno(errno_value, what);
    }
}

SplitKey split_key(std::string_view key) {
    const std::size_t slash = key.rfind('/');
    if (slash == std::string_view::npos) return {{}, key};
    return {key.substr(0, slash), key.substr(slash + 1)};
}

namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// O_DIRECTORY with O_NOFOLLOW on a symbolic link says ENOTDIR; the operator should read what it really is.
int explain_not_a_folder(int parent, const std::string& name) {
    struct stat about {};
    if (::fstatat(parent, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode)) return ELOOP;
    return ENOTDIR;
}

Result<Fd> open_segment(int parent, const std::string& name, bool create) {
    int fd = ::openat(parent, name.c_str(), kFolderFlags);
    if (fd < 0 && errno == ENOENT && create) {
        if (::mkdirat(parent, name.c_str(), 0750) != 0 && errno != EEXIST) {
            return file_error(errno, fmt::format("make folder '{}'", name));
        }
        // The new name must survive a power cut before anything beneath it is promised.
        if (::fsync(parent) != 0) return file_error(errno, fmt::format("sync the folder above '{}'", name));
        fd = ::openat(parent, name.c_str(), kFolderFlags);
    }
    if (fd < 0) {
        const int why = errno == ENOTDIR ? explain_not_a_folder(parent, name) : errno;
        if (why == ENOTDIR) return Error(Errc::conflict, fmt::format("'{}' is a file, not a folder", name));
        return file_error(why, fmt::format("open folder '{}'", name));
    }
    return Fd(fd);
}

}  // namespace

Result<Fd> open_folder(int root, std::string_view path, bool create) {
    Fd folder(::openat(root, ".", kFolderFlags));
    if (folder.get() < 0) return file_error(errno, "open folder");
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        Fd next = TRY(open_segment(folder.get(), std::string(path.substr(0, slash)), create));
        folder = std::move(next);
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return folder;
}

Result<Fd> open_file(int root, std::string_view key, struct stat& about) {
    const SplitKey parts = split_key(key);
    Result<Fd> folder = open_folder(root, parts.folder, false);
    const Error missing = Error(Errc::not_found, "no such object").with_reason(reason::kRemoteMissing);
    // A file where the key wants a folder means that the key is not there.
    if (!folder) return folder.error().code() == Errc::conflict ? missing : std::move(folder).error();
    // O_NONBLOCK: a planted FIFO must not hang us.
    Fd file(::openat(folder->get(), std::string(parts.name).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) return file_error(errno, "open");
    if (::fstat(file.get(), &about) != 0) return file_error(errno, "inspect");
    if (!S_ISREG(about.st_mode)) return missing;
    return file;
}

TimeMs modified_ms(const struct stat& about) {
    return static_cast<TimeMs>(about.st_mtim.tv_sec) * 1000 + about.st_mtim.tv_nsec / 1'000'000;
}

std::string etag_of(const struct stat& about) {
    return fmt::format("{:x}-{:x}-{:x}{:08x}", about.st_ino, about.st_size, about.st_mtim.tv_sec,
                       about.st_mtim.tv_nsec);
}

}  // namespace backstay::directory
