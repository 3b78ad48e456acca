#include "storage/directory/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <memory>

#include "storage/directory/beneath.h"
#include "storage/tree_listing.h"

namespace backstay::directory {

namespace {

struct CloseDir {
    void operator()(DIR* stream) const { ::closedir(stream); }
};
using DirStream = std::unique_ptr<DIR, CloseDir>;

Result<DirStream> open_stream(int folder) {
    Fd own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (own.get() < 0) return file_error(errno, "read folder");
    DirStream stream(::fdopendir(own.get()));
    if (!stream) return file_error(errno, "read folder");
    own.release();
    return stream;
}

// 'f' a regular file, 'd' a folder, '-' anything else (symbolic links, devices, what vanished meanwhile).
char kind_of(int folder, const dirent& entry) {
    if (entry.d_type == DT_REG) return 'f';
    if (entry.d_type == DT_DIR) return 'd';
    if (entry.d_type != DT_UNKNOWN) return '-';
    struct stat about {};
    if (::fstatat(folder, entry.d_name, &about, AT_SYMLINK_NOFOLLOW) != 0) return '-';
    if (S_ISREG(about.st_mode)) return 'f';
    return S_ISDIR(about.st_mode) ? 'd' : '-';
}

class FolderTree final : public Tree {
public:
    FolderTree(int root, const std::stop_token& stop) : root_(root), stop_(stop) {}

    Result<> read(const std::string& folder, const std::function<Result<>(TreeEntry)>& each) override {
        TRY(enter(folder));
        const DirStream stream = TRY(open_stream(folder_.get()));
        errno = 0;
        while (const dirent* entry = ::readdir(stream.get())) {
            if (stop_.stop_requested()) return Error(Errc::cancelled, "listing was stopped");
            TreeEntry shown;
            shown.name = entry->d_name;
            const char kind = kind_of(folder_.get(), *entry);
            shown.folder = kind == 'd';
            if (kind != '-' && shown.name != "." && shown.name != "..") TRY(each(std::move(shown)));
            errno = 0;
        }
        if (errno != 0) return file_error(errno, fmt::format("read folder '{}'", folder));
        return {};
    }

    Result<bool> complete(const std::string& folder, TreeEntry& entry) override {
        Result<> entered = enter(folder);
        if (!entered && entered.error().code() == Errc::not_found) return false;
        TRY(std::move(entered));
        struct stat about {};
        if (::fstatat(folder_.get(), entry.name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0) return false;
        entry.size_bytes = static_cast<std::uint64_t>(about.st_size);
        entry.modified_at = modified_ms(about);
        entry.etag = etag_of(about);
        return S_ISREG(about.st_mode);
    }

private:
    // Files of one folder come one after the other.
    Result<> enter(const std::string& folder) {
        if (folder_.get() >= 0 && folder == entered_) return {};
        folder_ = TRY(
            open_folder(root_, std::string_view(folder).substr(0, folder.size() - (folder.empty() ? 0 : 1)), false));
        entered_ = folder;
        return {};
    }

    int root_;
    const std::stop_token& stop_;
    Fd folder_;
    std::string entered_;
};

}  // namespace

Result<ListPage> list_folder(int root, const ListQuery& query, const std::stop_token& stop) {
    FolderTree tree(root, stop);
    return list_tree(tree, query);
}

}  // namespace backstay::directory
