#include "storage/directory/writing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "common/domain/reasons.h"
#include "common/ids.h"
#include "storage/tree_listing.h"

namespace backstay::directory {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr int kAttemptsToPublish = 100;
// Free space is asked again, and write-back started, each time so much was written.
constexpr std::uint64_t kCheckEveryBytes = 16ULL << 20;

// Answers how much came; less than buffer.size() only at the end of the file.
Result<std::size_t> read_at(const Fd& file, MutableByteSpan buffer, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < buffer.size()) {
        const ssize_t count =
            ::pread(file.get(), buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error(errno, "read");
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

}  // namespace

Result<std::uint64_t> free_bytes_at(int fd) {
    struct statvfs about {};
    if (::fstatvfs(fd, &about) != 0) return file_error(errno, "ask for free space");
    return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
}

UnfinishedFile::UnfinishedFile(int root, Fd folder, Fd file, std::string name, std::uint64_t min_free_bytes)
    : root_(root),
      folder_(std::move(folder)),
      file_(std::move(file)),
      name_(std::move(name)),
      min_free_bytes_(min_free_bytes) {}

UnfinishedFile::~UnfinishedFile() {
    if (folder_.get() >= 0 && !name_.empty()) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

Result<UnfinishedFile> UnfinishedFile::create(int root, std::uint64_t min_free_bytes, std::uint64_t expected_bytes) {
    Fd folder = TRY(open_folder(root, kUnfinished, true));
    std::string name = new_uuid();
    Fd file(::openat(folder.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
    if (file.get() < 0) return file_error(errno, "create file");
    // Held as long as this file is open: a sweep, on whichever host, sees that somebody is at work. Where the file
    // system knows no locks, only the age protects.
    (void)::flock(file.get(), LOCK_EX | LOCK_NB);
    UnfinishedFile unfinished(root, std::move(folder), std::move(file), std::move(name), min_free_bytes);
    TRY(unfinished.check_space(expected_bytes));
    return unfinished;
}

Result<> UnfinishedFile::check_space(std::uint64_t more) const {
    const std::uint64_t available = TRY(free_bytes_at(file_.get()));
    if (available >= min_free_bytes_ && available - min_free_bytes_ >= more) return {};
    return Error(Errc::exhausted, fmt::format("{} bytes are free, {} more would leave less than the {} to be kept free",
                                              available, more, min_free_bytes_))
        .with_reason(reason::kDestinationFull)
        .with_hint("free space, or lower minFreeBytes of the destination");
}

Result<> UnfinishedFile::write_all(ByteSpan bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error(errno, "write");
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        written_ += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<> UnfinishedFile::fill(Source& content, const std::stop_token& stop) {
    std::vector<std::byte> buffer(kPieceBytes);
    std::uint64_t checked_at = 0;
    while (true) {
        if (stop.stop_requested()) return Error(Errc::cancelled, "stopped");
        const std::size_t count = TRY(content.read(buffer));
        if (count == 0) break;
        TRY(write_all(ByteSpan(buffer.data(), count)));
        if (written_ - checked_at >= kCheckEveryBytes) {
            TRY(check_space(0));
            // Starts write-back now, so that the sync at the end has little left to do. Only a hint.
            (void)::sync_file_range(file_.get(), static_cast<off_t>(checked_at),
                                    static_cast<off_t>(written_ - checked_at), SYNC_FILE_RANGE_WRITE);
            checked_at = written_;
        }
    }
    TRY(check_space(0));
    if (::fsync(file_.get()) != 0) return file_error(errno, "sync");
    return {};
}

Result<bool> UnfinishedFile::same_as(const Fd& other, std::uint64_t other_bytes) const {
    if (other_bytes != written_) return false;
    std::vector<std::byte> ours(kPieceBytes);
    std::vector<std::byte> theirs(kPieceBytes);
    for (std::uint64_t offset = 0; offset < written_;) {
        const std::size_t count = TRY(read_at(file_, ours, offset));
        const std::size_t their_count = TRY(read_at(other, theirs, offset));
        if (count == 0 || count != their_count || std::memcmp(ours.data(), theirs.data(), count) != 0) return false;
        offset += count;
    }
    return true;
}

// True: published. False: the name is taken.
Result<bool> UnfinishedFile::link_as(int target_folder, const std::string& target_name) {
    if (::renameat2(folder_.get(), name_.c_str(), target_folder, target_name.c_str(), RENAME_NOREPLACE) == 0) {
        name_.clear();
        return true;
    }
    if (errno == EEXIST) return false;
    // NFS and some FUSE file systems know no RENAME_NOREPLACE; a hard link replaces nothing either.
    if (errno != EINVAL && errno != ENOSYS) return file_error(errno, "publish");
    if (::linkat(folder_.get(), name_.c_str(), target_folder, target_name.c_str(), 0) == 0) return true;
    if (errno == EEXIST) return false;
    return file_error(errno, "publish").with_hint("the file system offers neither RENAME_NOREPLACE nor hard links");
}

// The key is taken: by the same content (a retry after a lost answer), or by another.
Result<ObjectInfo> UnfinishedFile::compare_with_published(std::string_view key) const {
    struct stat about {};
    Result<Fd> published = open_file(root_, key, about);
    if (published && TRY(same_as(*published, static_cast<std::uint64_t>(about.st_size)))) {
        return ObjectInfo{std::string(key), written_, modified_ms(about), etag_of(about), ""};
    }
    if (!published && published.error().code() != Errc::not_found) return std::move(published).error();
    return Error(Errc::conflict, "this key is taken by other content");
}

Result<ObjectInfo> UnfinishedFile::publish(std::string_view key) {
    const SplitKey parts = split_key(key);
    for (int attempt = 0;; ++attempt) {
        // A remove() beside us may prune empty folders between any two of these calls.
        const bool again = attempt < kAttemptsToPublish;
        Result<Fd> folder = open_folder(root_, parts.folder, true);
        if (!folder && folder.error().code() == Errc::not_found && again) continue;
        const Fd target = TRY(std::move(folder));
        Result<bool> linked = link_as(target.get(), std::string(parts.name));
        if (!linked && linked.error().code() == Errc::not_found && again) continue;
        const bool published = TRY(std::move(linked));
        if (::fsync(target.get()) != 0) return file_error(errno, "sync folder");
        if (!published) return compare_with_published(key);
        struct stat about {};
        if (::fstat(file_.get(), &about) != 0) return file_error(errno, "inspect");
        return ObjectInfo{std::string(key), written_, modified_ms(about), etag_of(about), ""};
    }
}

}  // namespace backstay::directory
