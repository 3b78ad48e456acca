#include "common/files/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "common/fd.h"
#include "common/ids.h"

namespace backstay {
namespace {

Error failed(std::string_view verb, const std::string& path) {
    const int saved = errno;
    return Error::from_errno(saved, fmt::format("{} {}", verb, path));
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> write_all(int descriptor, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t count = ::write(descriptor, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed("write", path);
        content.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<> write_durably(const std::string& path, std::string_view content, unsigned mode) {
    Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.open()) return failed("create", path);
    TRY(write_all(file.get(), content, path));
    if (::fchmod(file.get(), static_cast<mode_t>(mode)) != 0) return failed("set the mode of", path);
    if (::fsync(file.get()) != 0) return failed("fsync", path);
    if (::close(file.release()) != 0) return failed("close", path);
    return {};
}

Result<std::string> read_open_file(int descriptor, const std::string& path, std::size_t limit_bytes) {
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t count = ::read(descriptor, buffer, sizeof(buffer));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed("read", path);
        if (count == 0) return text;
        if (text.size() + static_cast<std::size_t>(count) > limit_bytes) {
            return Error(Errc::exhausted, fmt::format("{} is larger than {} bytes", path, limit_bytes));
        }
        text.append(buffer, static_cast<std::size_t>(count));
    }
}

Result<struct stat> regular_file(int descriptor, const std::string& path) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return failed("look at", path);
    if (!S_ISREG(info.st_mode)) return Error(Errc::invalid, fmt::format("{} is not a regular file", path));
    return info;
}

// Of the open file description, so that two locks inside one process exclude each other too.
bool lock_whole(int file) {
    struct flock request {};
    request.l_type = F_WRLCK;
    request.l_whence = SEEK_SET;
    return ::fcntl(file, F_OFD_SETLK, &request) == 0;
}

Error held_by_another(int file, const std::string& path) {
    char holder[16] = {};
    const ssize_t count = ::pread(file, holder, sizeof(holder) - 1, 0);
    std::string_view id(holder, count > 0 ? static_cast<std::size_t>(count) : 0);
    id = id.substr(0, id.find('\n'));
    return Error(Errc::conflict, id.empty() ? fmt::format("{} is locked by another process", path)
                                            : fmt::format("{} is locked by process {}", path, id));
}

}  // namespace

Result<> fsync_file(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.open()) return failed("open", path);
    if (::fsync(file.get()) != 0) return failed("fsync", path);
    return {};
}

Result<> fsync_folder(const std::string& path) {
    const Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.open()) return failed("open folder", path);
    if (::fsync(folder.get()) != 0) return failed("fsync folder", path);
    return {};
}

Result<> atomic_write(const std::string& path, std::string_view content, unsigned mode) {
    const std::string temporary = fmt::format("{}.{}.tmp", path, random_token(9));
    if (auto written = write_durably(temporary, content, mode); !written) {
        ::unlink(temporary.c_str());
        return written;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        Error error = failed("replace", path);
        ::unlink(temporary.c_str());
        return error;
    }
    return fsync_folder(folder_of(path));
}

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
    // O_NONBLOCK: opening a FIFO by mistake must not hang.
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.open()) return failed("open", path);
    TRY(regular_file(file.get(), path));
    return read_open_file(file.get(), path, limit_bytes);
}

Result<std::string> read_beginning(const std::string& path, std::size_t bytes) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.open()) return failed("open", path);
    TRY(regular_file(file.get(), path));
    std::string text(bytes, '\0');
    std::size_t count = 0;
    while (count < bytes) {
        const ssize_t got = ::read(file.get(), text.data() + count, bytes - count);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("read", path);
        if (got == 0) break;
        count += static_cast<std::size_t>(got);
    }
    text.resize(count);
    return text;
}

Result<std::string> read_secret_file(const std::string& path, std::size_t limit_bytes) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.open()) return failed("open", path);
    const struct stat info = TRY(regular_file(file.get(), path));
    if (info.st_uid != ::geteuid() && info.st_uid != 0) {
        return Error(Errc::denied, fmt::format("{} belongs to another user", path))
            .with_hint("chown it to the user of this program, or to root");
    }
    if ((info.st_mode & 07027U) != 0) {
        return Error(Errc::denied,
                     fmt::format("{} has mode {:o}: others could read or change it", path, info.st_mode & 07777U))
            .with_hint("chmod 0600 (or 0640) " + path);
    }
    std::string secret = TRY(read_open_file(file.get(), path, limit_bytes));
    while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
    if (secret.empty()) return Error(Errc::invalid, fmt::format("{} is empty", path));
    return secret;
}

Result<> make_folders(const std::string& path, unsigned mode) {
    if (path.empty()) return Error(Errc::invalid, "a folder without a name");
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), static_cast<mode_t>(mode)) == 0) {
            // One may make folders in a folder that one may not read; then the file system has the say.
            const auto synced = fsync_folder(folder_of(part));
            if (!synced && synced.error().code() != Errc::denied) return synced;
        } else if (errno != EEXIST) {
            // A parent that exists but may not be written answers EACCES or EROFS for itself too.
            std::error_code ignored;
            if (!std::filesystem::is_directory(part, ignored)) return failed("make folder", part);
        }
        if (end == std::string::npos) break;
    }
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        return Error(Errc::conflict, fmt::format("{} is there and is not a folder", path));
    }
    return {};
}

Result<DiskSpace> free_space(const std::string& path) {
    struct statvfs info {};
    std::string at = path;
    while (::statvfs(at.c_str(), &info) != 0) {
        if (errno != ENOENT || at == "/" || at == "." || at.empty()) return failed("look at the disk of", path);
        at = folder_of(at);
    }
    const std::uint64_t unit = info.f_frsize;
    return DiskSpace{info.f_bavail * unit, info.f_blocks * unit};
}

Result<TempDir> TempDir::create(const std::string& parent, std::string_view prefix) {
    TRY(make_folders(parent));
    std::string pattern = fmt::format("{}/{}XXXXXX", parent, prefix);
    if (::mkdtemp(pattern.data()) == nullptr) return failed("make a temporary folder in", parent);
    return TempDir(std::move(pattern));
}

Result<TempDir> TempDir::create_at(const std::string& path) {
    std::error_code failure;
    std::filesystem::remove_all(path, failure);
    if (failure) return Error::from_errno(failure.value(), "remove " + path);
    TRY(make_folders(std::filesystem::path(path).parent_path().string()));
    if (::mkdir(path.c_str(), 0700) != 0) return failed("make the temporary folder", path);
    return TempDir(path);
}

TempDir::~TempDir() {
    if (path_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Result<FileLock> FileLock::acquire(const std::string& path, std::chrono::milliseconds patience) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return failed("open", path);
    FileLock lock(file);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!lock_whole(file)) {
        if (errno != EAGAIN && errno != EACCES) return failed("lock", path);
        if (std::chrono::steady_clock::now() >= end) return held_by_another(file, path);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    const std::string owner = fmt::format("{}\n", ::getpid());
    if (::ftruncate(file, 0) != 0) return failed("write", path);
    if (::pwrite(file, owner.data(), owner.size(), 0) < 0) return failed("write", path);
    return lock;
}

FileLock::~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace backstay
