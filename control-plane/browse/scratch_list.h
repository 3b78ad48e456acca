// What one scan listed, in a database file of its own: a million keys are not kept in memory, and the store of the
// control plane is not held up by them. One thread; the file goes with it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/sql/database.h"
#include "storage/storage.h"

namespace backstay::browse {

class ScratchList {
public:
    static Result<ScratchList> open(const std::string& path);
    ~ScratchList();
    ScratchList(ScratchList&&) noexcept;
    ScratchList& operator=(ScratchList&&) = delete;

    struct Entry {
        ObjectInfo object;
        bool orphan = false;
    };
    // One page, in one transaction.
    Result<> add(const std::vector<Entry>& page);
    Result<bool> has(const std::string& key);
    // Orphans last changed before `cutoff`, in the order of keys, at most so many.
    Result<std::vector<ObjectInfo>> orphans_before(TimeMs cutoff, std::int64_t most);

private:
    ScratchList(std::string path, sql::Database database) : path_(std::move(path)), database_(std::move(database)) {}
    std::string path_;
    sql::Database database_;
};

}  // namespace backstay::browse
