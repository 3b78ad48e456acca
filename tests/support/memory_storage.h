// A Storage that keeps its objects in memory; passes the same contract suite as the real drivers.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "common/domain/reasons.h"
#include "storage/storage.h"

namespace backstay::testing {

class MemoryStorage final : public Storage {
public:
    std::string_view kind() const override { return "local"; }

    Result<ObjectInfo> put(std::string_view key, Source& content, const PutOptions&) override {
        TRY(check_key(key));
        std::string text = TRY(read_all(content, 1ULL << 30));
        const auto [entry, added] = objects_.try_emplace(std::string(key));
        if (!added && entry->second.content != text) return Error(Errc::conflict, "this key is taken by other content");
        if (added) entry->second = {std::move(text), SystemClock().now_ms(), fmt::format("{}", ++last_etag_)};
        return info(*entry);
    }

    Result<> get(std::string_view key, const ByteRange& range, Sink& into) override {
        const Entry entry = TRY(find(key));
        const std::string_view text = entry->second.content;
        if (range.first > text.size() || (range.first == text.size() && (range.first > 0 || range.count > 0))) {
            return Error(Errc::invalid, "the range begins behind the end");
        }
        const std::size_t count = range.count == 0 ? text.size() : static_cast<std::size_t>(range.count);
        return into.write(as_bytes(text.substr(static_cast<std::size_t>(range.first), count)));
    }

    Result<ObjectInfo> stat(std::string_view key) override { return info(*TRY(find(key))); }

    Result<ListPage> list(const ListQuery& query) override {
        ListPage page;
        std::string last;
        for (auto entry = objects_.lower_bound(query.prefix);
             entry != objects_.end() && entry->first.starts_with(query.prefix); ++entry) {
            const std::size_t slash = entry->first.find('/', query.prefix.size());
            const bool folded = query.one_level && slash != std::string::npos;
            std::string name = folded ? entry->first.substr(0, slash + 1) : entry->first;
            if (name <= query.continue_after || name == last) continue;
            if (page.objects.size() + page.folders.size() == std::max<std::size_t>(query.max_entries, 1)) {
                page.next = last;
                break;
            }
            last = name;
            if (folded) {
                page.folders.push_back(std::move(name));
            } else {
                page.objects.push_back(info(*entry));
            }
        }
        return page;
    }

    Result<> remove(std::string_view key) override {
        TRY(check_key(key));
        objects_.erase(std::string(key));
        return {};
    }
    Result<std::uint64_t> sweep_leftovers(TimeMs) override { return std::uint64_t{0}; }
    Result<std::optional<std::uint64_t>> free_bytes() override { return std::optional<std::uint64_t>(); }
    Result<std::optional<std::string>> presign_get(std::string_view, std::uint32_t, std::string_view) override {
        return std::optional<std::string>();
    }

    // What is stored, by key, for a test to look at or to damage.
    struct Object {
        std::string content;
        TimeMs modified_at = 0;
        std::string etag;
    };
    std::map<std::string, Object>& objects() { return objects_; }

private:
    using Entry = std::map<std::string, Object>::const_iterator;

    Result<Entry> find(std::string_view key) const {
        TRY(check_key(key));
        const Entry entry = objects_.find(std::string(key));
        if (entry == objects_.end()) {
            return Error(Errc::not_found, "no such object").with_reason(reason::kRemoteMissing);
        }
        return entry;
    }
    static ObjectInfo info(const std::pair<const std::string, Object>& entry) {
        return {entry.first, entry.second.content.size(), entry.second.modified_at, entry.second.etag, ""};
    }

    std::map<std::string, Object> objects_;
    std::uint64_t last_etag_ = 0;
};

}  // namespace backstay::testing
