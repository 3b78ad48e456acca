// What a store or an agent lists is looked at before it is used: a listing that makes no sense, or has no end, is an
// error instead of work without end. For one listing from its beginning or from a cursor, page by page in their order;
// one thread.
#pragma once

#include <cstdint>
#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "storage/storage.h"

namespace backstay::browse {

class ListingGuard {
public:
    struct Limits {
        std::uint64_t entries = 20'000'000;  // kept on disk, about 4 GB of it
        std::int64_t ms = 6LL * 60 * 60 * 1000;
        int empty_pages = 1000;  // one after the other: a store may have filtered what was there
    };
    ListingGuard() : ListingGuard(Limits()) {}
    explicit ListingGuard(const Limits& limits) : limits_(limits), until_ms_(steady_ms() + limits.ms) {}

    // 502 storage_listing_invalid: names that the query does not ask for, that do not come in order or come again, more
    // of them than were asked for, or no progress. 502 storage_listing_too_long: beyond the limits.
    Result<> check(const ListQuery& query, const ListPage& page);

private:
    Result<> check_names(const ListQuery& query, const ListPage& page);

    const Limits limits_;
    const std::int64_t until_ms_;
    std::uint64_t entries_ = 0;
    int empty_pages_ = 0;
    std::string last_object_;
    std::string last_folder_;
};

}  // namespace backstay::browse
