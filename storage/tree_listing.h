// Pages of a folder tree in the order of whole keys, for stores that have folders and know no order. Memory is bounded
// by the page, not by the folder: each level keeps only the smallest names that still matter.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "storage/storage.h"

namespace backstay {

// Where unfinished objects live, at the top of a destination; never listed, no key may lie in it.
inline constexpr std::string_view kUnfinished = ".backstay-unfinished";

// check_key, and what a file system adds: no segment over 255 bytes, nothing in the folders that are hidden.
Result<> check_file_key(std::string_view key);

struct TreeEntry {
    std::string name;  // without '/'
    bool folder = false;
    bool known = false;  // the rest is filled in already
    std::uint64_t size_bytes = 0;
    TimeMs modified_at = 0;
    std::string etag;
};

class Tree {
public:
    virtual ~Tree() = default;
    // Shows `each` every file and folder of `folder` ("" or ending in '/'), in any order; an error of `each` ends it.
    // Links and devices are passed over. Absent: not_found.
    virtual Result<> read(const std::string& folder, const std::function<Result<>(TreeEntry)>& each) = 0;
    // Fills in a file of `folder` that was shown without. False: it has gone.
    virtual Result<bool> complete(const std::string& folder, TreeEntry& entry) = 0;
};

Result<ListPage> list_tree(Tree& tree, const ListQuery& query);

}  // namespace backstay
