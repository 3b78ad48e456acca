#include "control-plane/browse/listing_guard.h"

#include <algorithm>

#include "control-plane/api/answer.h"

namespace backstay::browse {
namespace {

constexpr std::size_t kLongestNext = 4096;

Error senseless(std::string_view what) {
    return api::problem(502, "storage_listing_invalid",
                        std::string("the destination's listing makes no sense: ").append(what));
}

Error too_long(std::string_view what) {
    return api::problem(502, "storage_listing_too_long", std::string("the destination's listing ").append(what));
}

// Of a level only what lies right in it.
bool lies_there(const ListQuery& query, std::string_view name) {
    if (!name.starts_with(query.prefix)) return false;
    return !query.one_level || name.find('/', query.prefix.size()) == std::string_view::npos;
}

Result<> advance(std::string& last, const std::string& name) {
    if (!last.empty() && name <= last) return senseless("its names do not come in order");
    last = name;
    return {};
}

}  // namespace

Result<> ListingGuard::check_names(const ListQuery& query, const ListPage& page) {
    for (const ObjectInfo& object : page.objects) {
        if (!check_key(object.key) || !lies_there(query, object.key))
            return senseless("it holds names that were not asked for");
        TRY(advance(last_object_, object.key));
    }
    for (const std::string& folder : page.folders) {
        const std::string_view name = std::string_view(folder).substr(0, folder.empty() ? 0 : folder.size() - 1);
        if (!query.one_level || !folder.ends_with('/') || !check_key(name) || !lies_there(query, name))
            return senseless("it holds folders that were not asked for");
        TRY(advance(last_folder_, folder));
    }
    return {};
}

Result<> ListingGuard::check(const ListQuery& query, const ListPage& page) {
    const std::size_t count = page.objects.size() + page.folders.size();
    if (count > std::max<std::size_t>(query.max_entries, 1)) return senseless("a page holds more than was asked for");
    TRY(check_names(query, page));
    if (page.next.empty()) return {};
    if (page.next.size() > kLongestNext || page.next == query.continue_after)
        return senseless("it does not go on where it should");
    empty_pages_ = count == 0 ? empty_pages_ + 1 : 0;
    if (empty_pages_ >= limits_.empty_pages) return senseless("it goes on with nothing");
    entries_ += count;
    if (entries_ >= limits_.entries) return too_long("holds too many names to be scanned");
    if (steady_ms() >= until_ms_) return too_long("did not end in time");
    return {};
}

}  // namespace backstay::browse
