// What a bucket holds: objects, and uploads that nobody finished.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "storage/s3/connection.h"
#include "storage/storage.h"

namespace backstay::s3 {

// One page below `prefix` ("" or ending in '/'), which the answered keys do not have any more. Keys that check_key
// refuses (folder markers of web consoles) are left out.
Result<ListPage> list_page(Connection& connection, const std::string& prefix, const ListQuery& query);

struct UnfinishedUpload {
    std::string key;  // whole
    std::string id;
    TimeMs initiated_at = 0;
};

// Already gone is success.
Result<> abort_upload(Connection& connection, std::string_view key, std::string_view id);

// When the server took the newest part of this upload; 0: it has none. not_found: there is no such upload any more.
Result<TimeMs> last_part_at(Connection& connection, const UnfinishedUpload& upload);

// Aborts every unfinished upload below `prefix` that `choose` says yes to; answers how many. `clean_up` as in Call.
Result<std::uint64_t> abort_uploads(Connection& connection, const std::string& prefix,
                                    const std::function<Result<bool>(const UnfinishedUpload&)>& choose, bool clean_up);

std::string unquoted(std::string_view etag);

}  // namespace backstay::s3
