#include "storage/tree_listing.h"

#include <algorithm>

#include <fmt/format.h>

namespace backstay {

namespace {

constexpr std::size_t kMostEntries = 100'000;  // of one page, whatever is asked for
constexpr std::size_t kLongestName = 255;

bool hidden_at_top(std::string_view name) { return name == kUnfinished || name == "lost+found"; }

class Lister {
public:
    Lister(Tree& tree, const ListQuery& query) : tree_(tree), query_(query) {
        // One more than the page holds tells whether there is a next one.
        wanted_ = std::clamp<std::size_t>(query.max_entries, 1, kMostEntries) + 1;
    }

    Result<ListPage> run() {
        TRY(visit(""));
        ListPage page;
        if (found_.size() == wanted_) {
            found_.pop_back();
            page.next = found_.back().key;
        }
        for (ObjectInfo& found : found_) {
            if (found.key.ends_with('/')) {
                page.folders.push_back(std::move(found.key));
            } else {
                page.objects.push_back(std::move(found));
            }
        }
        return page;
    }

private:
    // As whole keys are sorted: a folder as its name with '/', so that "a-b" comes before "a/b".
    struct Before {
        bool operator()(const TreeEntry& a, const TreeEntry& b) const { return a.name < b.name; }
    };

    bool full() const { return found_.size() >= wanted_; }

    // May `whole` (a folder when it ends in '/') matter to the page?
    bool matters(const std::string& whole) const {
        const std::string& after = query_.continue_after;
        const std::string_view prefix = query_.prefix;
        if (!whole.ends_with('/')) return whole > after && whole.starts_with(prefix);
        if (!whole.starts_with(prefix) && !prefix.starts_with(whole)) return false;
        const bool folded = query_.one_level && whole.size() > prefix.size();
        return whole > after || (!folded && after.starts_with(whole));
    }

    // The smallest `wanted_` entries of the folder that matter and follow `beyond`, sorted; folders end in '/'.
    Result<std::vector<TreeEntry>> next_entries(const std::string& base, const std::string& beyond) {
        std::vector<TreeEntry> entries;  // a heap, the largest on top
        const auto take = [&](TreeEntry entry) -> Result<> {
            if ((base.empty() && hidden_at_top(entry.name)) || !check_key(base + entry.name)) return {};
            if (entry.folder) entry.name += '/';
            if (entry.name <= beyond || !matters(base + entry.name)) return {};
            entries.push_back(std::move(entry));
            std::push_heap(entries.begin(), entries.end(), Before());
            if (entries.size() > wanted_) {
                std::pop_heap(entries.begin(), entries.end(), Before());
                entries.pop_back();
            }
            return {};
        };
        TRY(tree_.read(base, take));
        std::sort_heap(entries.begin(), entries.end(), Before());
        return entries;
    }

    // `base` is "" or ends in '/'.
    Result<> visit(const std::string& base) {
        std::string beyond;
        while (!full()) {
            std::vector<TreeEntry> entries = TRY(next_entries(base, beyond));
            for (TreeEntry& entry : entries) {
                if (full()) return {};
                TRY(entry.folder ? take_folder(base + entry.name) : take_file(base, entry));
            }
            // Fewer than asked for: the folder holds no more. Else go on behind the last (empty folders fill no page).
            if (entries.size() < wanted_) return {};
            beyond = entries.back().name;
        }
        return {};
    }

    Result<> take_file(const std::string& base, TreeEntry& entry) {
        if (!entry.known && !TRY(tree_.complete(base, entry))) return {};
        found_.push_back({base + entry.name, entry.size_bytes, entry.modified_at, std::move(entry.etag), ""});
        return {};
    }

    Result<> take_folder(const std::string& whole) {
        if (!query_.one_level || whole.size() <= query_.prefix.size()) {
            Result<> visited = visit(whole);
            // Removed meanwhile: it is not there, then.
            return !visited && visited.error().code() == Errc::not_found ? Result<>() : visited;
        }
        if (TRY(holds_object(whole))) found_.push_back({whole, 0, 0, "", ""});
        return {};
    }

    // A folder without any object in it does not exist for a store of keys.
    Result<bool> holds_object(const std::string& whole) {
        ListQuery first;
        first.prefix = whole;
        first.max_entries = 1;
        Lister below(tree_, first);
        const Result<> visited = below.visit(whole);
        if (!visited && visited.error().code() != Errc::not_found) return visited.error();
        return !below.found_.empty();
    }

    Tree& tree_;
    const ListQuery& query_;
    std::size_t wanted_ = 0;
    std::vector<ObjectInfo> found_;
};

}  // namespace

Result<> check_file_key(std::string_view key) {
    TRY(check_key(key));
    const std::string_view first = key.substr(0, std::min(key.find('/'), key.size()));
    if (hidden_at_top(first)) return Error(Errc::invalid, fmt::format("object key may not begin with '{}'", first));
    for (std::string_view rest = key; !rest.empty();) {
        const std::size_t slash = std::min(rest.find('/'), rest.size());
        if (slash > kLongestName) return Error(Errc::invalid, "object key has a segment longer than 255 bytes");
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    return {};
}

Result<ListPage> list_tree(Tree& tree, const ListQuery& query) { return Lister(tree, query).run(); }

}  // namespace backstay
