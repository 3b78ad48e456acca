#include "agent/artifact/file_reading.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace backstay {
namespace {

int open_beneath(int root, const std::string& name) {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const long fd = ::syscall(SYS_openat2, root, name.c_str(), &how, sizeof(how));
    if (fd >= 0 || errno != ENOSYS) return static_cast<int>(fd);
    // Kernels before 5.6: names were checked for ".." before they came here.
    return ::openat(root, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

}  // namespace

Result<OpenedFile> open_below(int root, const std::string& name) {
    OpenedFile file;
    file.descriptor = Fd(open_beneath(root, name));
    if (!file.descriptor.open()) return Error::from_errno(errno, "open " + name);
    struct stat about {};
    if (::fstat(file.descriptor.get(), &about) != 0) return Error::from_errno(errno, "inspect " + name);
    if (!S_ISREG(about.st_mode)) return Error(Errc::not_found, name + " is no regular file");
    file.size_bytes = static_cast<std::uint64_t>(about.st_size);
    file.modified_at = about.st_mtim.tv_sec;
    return file;
}

Result<std::string> read_whole(const OpenedFile& file, Buffer& into, Digest& sha1) {
    const std::size_t begin = into.size();
    into.resize(begin + static_cast<std::size_t>(file.size_bytes));
    std::size_t done = begin;
    while (done < into.size()) {
        const ssize_t count = ::read(file.descriptor.get(), into.data() + done, into.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            Error error = Error::from_errno(errno, "read");
            into.resize(begin);
            return error;
        }
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    into.resize(done);
    sha1.update(into.bytes().subspan(begin));
    return sha1.hex();
}

FileFate fate_of(const Error& error) {
    return error.code() == Errc::not_found ? FileFate::missing : FileFate::unreadable;
}

}  // namespace backstay
