// Listings that make no sense, or have no end.
#include "control-plane/browse/listing_guard.h"

#include <gtest/gtest.h>

namespace backstay::browse {
namespace {

ListPage page_of(const std::vector<std::string>& objects, const std::vector<std::string>& folders = {},
                 const std::string& next = "") {
    ListPage page;
    for (const std::string& key : objects) {
        ObjectInfo object;
        object.key = key;
        page.objects.push_back(std::move(object));
    }
    page.folders = folders;
    page.next = next;
    return page;
}

ListQuery query_of(const std::string& prefix, bool one_level = false) {
    ListQuery query;
    query.prefix = prefix;
    query.one_level = one_level;
    query.max_entries = 3;
    return query;
}

std::string verdict(const ListQuery& query, const ListPage& page) {
    ListingGuard guard;
    const auto checked = guard.check(query, page);
    return checked ? "" : checked.error().reason();
}

TEST(ListingGuard, LetsPassWhatIsRight) {
    EXPECT_EQ(verdict(query_of(""), page_of({"a", "b/c", "d"}, {}, "d")), "");
    EXPECT_EQ(verdict(query_of("a/", true), page_of({"a/x", "a/z"}, {"a/y/"})), "");
    EXPECT_EQ(verdict(query_of("a", true), page_of({"ab"}, {"aa/"})), "");
    EXPECT_EQ(verdict(query_of(""), page_of({})), "");
}

TEST(ListingGuard, RefusesNamesThatWereNotAskedFor) {
    for (const auto& [query, page] : {
             std::pair(query_of("a/"), page_of({"b/x"})),
             std::pair(query_of("a/", true), page_of({"a/b/c"})),
             std::pair(query_of("a/", true), page_of({}, {"b/"})),
             std::pair(query_of("a/", true), page_of({}, {"a/b/c/"})),
             std::pair(query_of("a/"), page_of({}, {"a/b/"})),
             std::pair(query_of("", true), page_of({}, {"a"})),
             std::pair(query_of("", true), page_of({}, {""})),
             std::pair(query_of(""), page_of({"../etc/passwd"})),
             std::pair(query_of(""), page_of({"a//b"})),
             std::pair(query_of(""), page_of({""})),
             std::pair(query_of(""), page_of({"a", "a"})),
             std::pair(query_of(""), page_of({"b", "a"})),
             std::pair(query_of("", true), page_of({}, {"b/", "a/"})),
             std::pair(query_of(""), page_of({"a", "b", "c", "d"})),
             std::pair(query_of(""), page_of({"a"}, {}, std::string(5000, 'n'))),
         })
        EXPECT_EQ(verdict(query, page), "storage_listing_invalid");
}

TEST(ListingGuard, RefusesPagesThatDoNotAdvance) {
    ListingGuard again;
    ListQuery query = query_of("");
    EXPECT_TRUE(again.check(query, page_of({"a", "b"}, {}, "b")));
    query.continue_after = "b";
    EXPECT_FALSE(again.check(query, page_of({"b"}, {}, "c"))) << "a key comes again";
    ListingGuard stuck;
    EXPECT_FALSE(stuck.check(query, page_of({"c"}, {}, "b"))) << "the next page would be the same";
    ListingGuard nothing({1000, 60'000, 5});
    std::string why;
    for (int i = 0; i < 5 && why.empty(); ++i) {
        query.continue_after = std::to_string(i);
        const auto checked = nothing.check(query, page_of({}, {}, std::to_string(i + 1)));
        if (!checked) why = checked.error().reason();
    }
    EXPECT_EQ(why, "storage_listing_invalid");
}

TEST(ListingGuard, EndsWhatHasNoEnd) {
    const auto ended = [](ListingGuard guard) {
        for (int i = 1000; i < 9000; ++i) {
            const std::string key = std::to_string(i);
            const auto checked = guard.check(query_of(""), page_of({key}, {}, key));
            if (!checked) return checked.error().reason();
        }
        return std::string("never");
    };
    EXPECT_EQ(ended(ListingGuard({100, 60'000, 5})), "storage_listing_too_long");
    EXPECT_EQ(ended(ListingGuard({100'000, 0, 5})), "storage_listing_too_long");
    EXPECT_EQ(ended(ListingGuard({100'000, 600'000, 5})), "never");
}

}  // namespace
}  // namespace backstay::browse
