#include "storage/directory/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "storage/directory/beneath.h"

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

constexpr std::size_t kMostEntries = 100'000;  // of one page, whatever is asked for

bool hidden_at_top(std::string_view name) { return name == kUnfinished || name == "lost+found"; }

class Lister {
public:
    Lister(const ListQuery& query, const std::stop_token& stop) : query_(query), stop_(stop) {
        // One more than the page holds tells whether there is a next one.
        wanted_ = std::clamp<std::size_t>(query.max_entries, 1, kMostEntries) + 1;
    }

    Result<ListPage> run(int root) {
        TRY(visit(root, ""));
        if (found_.size() == wanted_) {
            found_.pop_back();
            page_.next = found_.back().key;
        }
        for (Found& found : found_) {
            if (found.key.ends_with('/')) {
                page_.folders.push_back(std::move(found.key));
            } else {
                page_.objects.push_back({std::move(found.key), static_cast<std::uint64_t>(found.about.st_size),
                                         modified_ms(found.about), etag_of(found.about), ""});
            }
        }
        return std::move(page_);
    }

private:
    struct Found {
        std::string key;  // with '/' at its end: a folder
        struct stat about {};
    };

    bool full() const { return found_.size() >= wanted_; }

    // May `name` (a folder when it ends in '/'), seen under the folder whose keys begin with `base`, matter to the
    // page?
    bool matters(const std::string& whole) const {
        const std::string& after = query_.continue_after;
        const std::string_view prefix = query_.prefix;
        if (!whole.ends_with('/')) return whole > after && whole.starts_with(prefix);
        if (!whole.starts_with(prefix) && !prefix.starts_with(whole)) return false;
        const bool folded = query_.one_level && whole.size() > prefix.size();
        return whole > after || (!folded && after.starts_with(whole));
    }

    // The smallest `wanted_` names of the folder that matter and follow `beyond`, sorted as whole keys are: a folder
    // sorts as its name with '/', so that "a-b" comes before "a/b".
    Result<std::vector<std::string>> next_names(int folder, const std::string& base, const std::string& beyond) {
        DirStream stream = TRY(open_stream(folder));
        std::vector<std::string> names;  // a heap, the largest on top
        errno = 0;
        while (const dirent* entry = ::readdir(stream.get())) {
            if (stop_.stop_requested()) return Error(Errc::cancelled, "listing was stopped");
            std::string name = entry->d_name;
            if (name == "." || name == ".." || (base.empty() && hidden_at_top(name))) continue;
            const char kind = kind_of(folder, *entry);
            if (kind == '-' || !check_key(base + name)) continue;
            if (kind == 'd') name += '/';
            if (name <= beyond || !matters(base + name)) continue;
            names.push_back(std::move(name));
            std::push_heap(names.begin(), names.end());
            if (names.size() > wanted_) {
                std::pop_heap(names.begin(), names.end());
                names.pop_back();
            }
            errno = 0;
        }
        if (errno != 0) return file_error(errno, fmt::format("read folder '{}'", base));
        std::sort_heap(names.begin(), names.end());
        return names;
    }

    // `base` is "" or ends in '/'.
    Result<> visit(int folder, const std::string& base) {
        std::string beyond;
        while (!full()) {
            const std::vector<std::string> names = TRY(next_names(folder, base, beyond));
            for (const std::string& name : names) {
                if (full()) return {};
                TRY(take(folder, base, name));
            }
            // Fewer than asked for: the folder holds no more. Else go on behind the last (empty folders fill no page).
            if (names.size() < wanted_) return {};
            beyond = names.back();
        }
        return {};
    }

    Result<> take(int folder, const std::string& base, const std::string& name) {
        const std::string whole = base + name;
        if (!name.ends_with('/')) {
            Found found{whole, {}};
            // Removed meanwhile: it is not there, then.
            if (::fstatat(folder, name.c_str(), &found.about, AT_SYMLINK_NOFOLLOW) != 0) return {};
            if (S_ISREG(found.about.st_mode)) found_.push_back(std::move(found));
            return {};
        }
        Result<Fd> inner = open_folder(folder, std::string_view(name).substr(0, name.size() - 1), false);
        if (!inner) return inner.error().code() == Errc::not_found ? Result<>() : std::move(inner).error();
        if (!query_.one_level || whole.size() <= query_.prefix.size()) return visit(inner->get(), whole);
        if (TRY(holds_object(inner->get(), whole))) found_.push_back({whole, {}});
        return {};
    }

    // A folder without any object in it does not exist for a store of keys.
    Result<bool> holds_object(int folder, const std::string& whole) {
        ListQuery first;
        first.prefix = whole;
        first.max_entries = 1;
        Lister below(first, stop_);
        TRY(below.visit(folder, whole));
        return !below.found_.empty();
    }

    const ListQuery& query_;
    const std::stop_token& stop_;
    std::size_t wanted_ = 0;
    std::vector<Found> found_;
    ListPage page_;
};

}  // namespace

Result<ListPage> list_tree(int root, const ListQuery& query, const std::stop_token& stop) {
    return Lister(query, stop).run(root);
}

}  // namespace backstay::directory
