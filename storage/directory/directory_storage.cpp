#include "storage/directory/directory_storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "common/domain/reasons.h"
#include "storage/directory/beneath.h"
#include "storage/directory/listing.h"
#include "storage/directory/writing.h"
#include "storage/tree_listing.h"

namespace backstay::directory {

namespace {

// Where the destination's folder is: `walk` is followed without symbolic links beneath `base`, which is trusted.
struct Place {
    std::string base;
    std::string walk;
};

Error path_refused(std::string_view path, std::string_view why) {
    return Error(Errc::invalid, fmt::format("path '{}' {}", path, why)).with_fact("field", "path");
}

bool has_dot_segment(std::string_view path) {
    const std::string framed = fmt::format("{}/", path);
    return framed.find("/../") != std::string::npos || framed.find("/./") != std::string::npos;
}

std::string without_trailing_slashes(std::string_view path) {
    std::string text(path);
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    // "a//b" and "a/b" are one folder.
    for (std::size_t at = text.find("//"); at != std::string::npos; at = text.find("//")) text.erase(at, 1);
    return text;
}

Result<Place> find_place(const LocalConfig& config, const std::vector<std::string>& roots) {
    if (!config.path.starts_with('/')) return path_refused(config.path, "must be absolute");
    if (config.path.find('\0') != std::string::npos) return path_refused(config.path, "has a NUL");
    if (has_dot_segment(config.path)) return path_refused(config.path, "has a '.' or '..' segment");
    const std::string path = without_trailing_slashes(config.path);
    for (const std::string& entry : roots) {
        const std::string root = without_trailing_slashes(entry);
        if (path == root) return Place{root, ""};
        const std::string inside = root == "/" ? root : root + "/";
        if (path.starts_with(inside)) return Place{root, path.substr(inside.size())};
    }
    if (roots.empty()) {
        return Error(Errc::denied, "this host allows no local destinations")
            .with_hint("name the folders in local_roots of the agent's configuration");
    }
    return path_refused(config.path, "lies in none of the folders that this host allows");
}

class DirectoryStorage final : public Storage {
public:
    DirectoryStorage(Place place, const LocalConfig& config, std::stop_token stop)
        : place_(std::move(place)), config_(config), stop_(std::move(stop)) {}

    std::string_view kind() const override { return "local"; }

    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions& options) override {
        TRY(check_file_key(key));
        return store(key, content, options).context(fmt::format("store '{}' in {}", key, config_.path));
    }

    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        TRY(check_file_key(key));
        return fetch(key, range, into).context(fmt::format("read '{}'", key));
    }

    Result<ObjectInfo> stat(std::string_view key) override {
        TRY(check_file_key(key));
        return inspect(key).context(fmt::format("inspect '{}'", key));
    }

    Result<ListPage> list(const ListQuery& query) override {
        const Fd root = TRY(open_root());
        return list_folder(root.get(), query, stop_).context(fmt::format("list '{}'", query.prefix));
    }

    Result<> remove(std::string_view key) override {
        TRY(check_file_key(key));
        return erase(key).context(fmt::format("remove '{}'", key));
    }

    Result<std::uint64_t> sweep_leftovers(TimeMs older_than) override;
    Result<std::optional<std::uint64_t>> free_bytes() override;
    Result<std::optional<std::string>> presign_get(std::string_view, std::uint32_t, std::string_view) override {
        return std::optional<std::string>();
    }

private:
    Result<Fd> open_root();
    static bool is_being_written(int folder, const char* name);
    Result<ObjectInfo> store(std::string_view key, Source& content, const PutOptions& options);
    Result<> fetch(std::string_view key, const ByteRange& range, Sink& into);
    Result<ObjectInfo> inspect(std::string_view key);
    Result<> erase(std::string_view key);

    Place place_;
    LocalConfig config_;
    std::stop_token stop_;
};

// Asked anew for every call: a share may be mounted, or lost, between two of them.
Result<Fd> DirectoryStorage::open_root() {
    const auto failed = [&](Error error) {
        error.add_context(fmt::format("destination folder '{}'", config_.path));
        if (error.code() != Errc::not_found) return error;
        return Error(Errc::unavailable, error.message()).with_reason(reason::kDestinationUnreachable);
    };
    Fd base(::open(place_.base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (base.get() < 0) return failed(file_error(errno, "open"));
    const SplitKey parts = split_key(place_.walk);
    Result<Fd> parent = open_folder(base.get(), parts.folder, false);
    if (!parent) return failed(std::move(parent).error());
    Result<Fd> root = open_folder(parent->get(), parts.name, true);
    if (!root) return failed(std::move(root).error());
    return root;
}

Result<ObjectInfo> DirectoryStorage::store(std::string_view key, Source& content, const PutOptions& options) {
    const Fd root = TRY(open_root());
    UnfinishedFile file = TRY(UnfinishedFile::create(root.get(), config_.min_free_bytes, options.expected_bytes));
    TRY(file.fill(content, stop_));
    return file.publish(key);
}

Result<> DirectoryStorage::fetch(std::string_view key, const ByteRange& range, Sink& into) {
    const Fd root = TRY(open_root());
    struct stat about {};
    const Fd file = TRY(open_file(root.get(), key, about));
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (range.first > size || (range.first == size && (range.first > 0 || range.count > 0))) {
        return Error(Errc::invalid, fmt::format("the range begins at {}, the object has {} bytes", range.first, size));
    }
    const std::uint64_t rest = size - range.first;
    const std::uint64_t wanted = range.count == 0 ? rest : std::min(range.count, rest);
    (void)::posix_fadvise(file.get(), static_cast<off_t>(range.first), static_cast<off_t>(wanted),
                          POSIX_FADV_SEQUENTIAL);
    std::vector<std::byte> buffer(256 * 1024);
    for (std::uint64_t done = 0; done < wanted;) {
        if (stop_.stop_requested()) return Error(Errc::cancelled, "stopped");
        const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), wanted - done));
        const ssize_t count = ::pread(file.get(), buffer.data(), piece, static_cast<off_t>(range.first + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error(errno, "read");
        if (count == 0) {
            return Error(Errc::corrupted, "the file became shorter while it was read")
                .with_reason(reason::kRemoteCorrupt);
        }
        TRY(into.write(ByteSpan(buffer.data(), static_cast<std::size_t>(count))));
        done += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<ObjectInfo> DirectoryStorage::inspect(std::string_view key) {
    const Fd root = TRY(open_root());
    struct stat about {};
    TRY(open_file(root.get(), key, about));
    return ObjectInfo{std::string(key), static_cast<std::uint64_t>(about.st_size), modified_ms(about), etag_of(about),
                      ""};
}

Result<> DirectoryStorage::erase(std::string_view key) {
    const Fd root = TRY(open_root());
    struct stat about {};
    const Result<Fd> file = open_file(root.get(), key, about);
    if (!file) return file.error().code() == Errc::not_found ? Result<>() : file.error();
    SplitKey parts = split_key(key);
    const Fd folder = TRY(open_folder(root.get(), parts.folder, false));
    if (::unlinkat(folder.get(), std::string(parts.name).c_str(), 0) != 0 && errno != ENOENT) {
        // chattr +i and friends answer EPERM where the folder itself may be written.
        const int why = errno;
        Error error = file_error(why, "unlink");
        if (why == EPERM) {
            return Error(Errc::denied, error.message()).with_reason(reason::kRemoteImmutable);
        }
        return error;
    }
    if (::fsync(folder.get()) != 0) return file_error(errno, "sync folder");
    // Folders that became empty go too: for a store of keys they do not exist.
    while (!parts.folder.empty()) {
        parts = split_key(parts.folder);
        const Result<Fd> above = open_folder(root.get(), parts.folder, false);
        if (!above || ::unlinkat(above->get(), std::string(parts.name).c_str(), AT_REMOVEDIR) != 0) break;
    }
    return {};
}

// Its writer holds a lock on it (UnfinishedFile::create), which goes with the writer however that ends.
bool DirectoryStorage::is_being_written(int folder, const char* name) {
    const Fd file(::openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    // What may not be looked at is somebody else's.
    if (file.get() < 0) return errno != ENOENT;
    return ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<std::uint64_t> DirectoryStorage::sweep_leftovers(TimeMs older_than) {
    const Fd root = TRY(open_root());
    Result<Fd> folder = open_folder(root.get(), kUnfinished, false);
    if (!folder) return folder.error().code() == Errc::not_found ? Result<std::uint64_t>(0) : folder.error();
    Fd own(::openat(folder->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    DIR* stream = own.get() < 0 ? nullptr : ::fdopendir(own.get());
    if (stream == nullptr) return file_error(errno, "read the folder of unfinished files");
    own.release();
    std::uint64_t removed = 0;
    while (const dirent* entry = ::readdir(stream)) {
        struct stat about {};
        if (::fstatat(folder->get(), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(about.st_mode) || modified_ms(about) >= older_than) continue;
        if (is_being_written(folder->get(), entry->d_name)) continue;
        if (::unlinkat(folder->get(), entry->d_name, 0) == 0) ++removed;
    }
    ::closedir(stream);
    return removed;
}

Result<std::optional<std::uint64_t>> DirectoryStorage::free_bytes() {
    const Fd root = TRY(open_root());
    const std::uint64_t available = TRY(free_bytes_at(root.get()));
    return std::optional<std::uint64_t>(available - std::min(available, config_.min_free_bytes));
}

}  // namespace

Result<std::unique_ptr<Storage>> open_directory(const LocalConfig& config, const std::vector<std::string>& roots,
                                                std::stop_token stop) {
    Place place = TRY(find_place(config, roots));
    return std::unique_ptr<Storage>(std::make_unique<DirectoryStorage>(std::move(place), config, std::move(stop)));
}

}  // namespace backstay::directory
