// Files as this project uses them: replaced whole or not at all, read with a limit, temporary folders and locks that
// undo themselves. Every call may block; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"

namespace backstay {

// Replaces `path` so that a reader, or a crash at any moment, sees the old content or the new, never a part: temporary
// file beside it with `mode`, fsync, rename, fsync of the folder. The umask does not apply.
Result<> atomic_write(const std::string& path, std::string_view content, unsigned mode = 0644);

// The whole file. Larger than `limit_bytes`: exhausted; absent: not_found; a folder or a device: invalid.
Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = 16 << 20);

// The first `bytes` of it, or all when it has fewer; absent: not_found.
Result<std::string> read_beginning(const std::string& path, std::size_t bytes);

// A file that holds one secret: refused (denied) when anybody but its owner, root or its group may read it, or when
// anybody but its owner may write it. Trailing line ends are cut; an empty secret is invalid. Errors never quote it.
Result<std::string> read_secret_file(const std::string& path, std::size_t limit_bytes = 64 << 10);

Result<> fsync_file(const std::string& path);
Result<> fsync_folder(const std::string& path);

// Makes the folder and its missing parents with `mode`; an existing one is left as it is. What was made is durable.
Result<> make_folders(const std::string& path, unsigned mode = 0700);

struct DiskSpace {
    std::uint64_t free_bytes = 0;  // for an unprivileged user
    std::uint64_t total_bytes = 0;
};
// Of the file system that holds `path`, or its nearest existing parent.
Result<DiskSpace> free_space(const std::string& path);

// A folder of one's own below `parent` (made when missing), mode 0700, removed with all it holds at the end.
class TempDir {
public:
    static Result<TempDir> create(const std::string& parent, std::string_view prefix = "tmp-");
    // This very folder, known before it is there; what an earlier process left in it goes.
    static Result<TempDir> create_at(const std::string& path);
    ~TempDir();
    TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TempDir& operator=(TempDir&& other) noexcept {
        std::swap(path_, other.path_);
        return *this;
    }
    const std::string& path() const { return path_; }
    // Leaves the folder to the caller.
    std::string release() { return std::exchange(path_, {}); }

private:
    explicit TempDir(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// An exclusive advisory lock on a file, held until destruction, also dropped by the kernel when the process dies. The
// file stays. Taken already: conflict, with the holder's process id in the message where it is known.
class FileLock {
public:
    // Waits that long for a holder that is ending: one that was killed, or a child that it had just forked.
    static Result<FileLock> acquire(const std::string& path, std::chrono::milliseconds patience = {});
    ~FileLock();
    FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileLock& operator=(FileLock&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

private:
    explicit FileLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace backstay
