#include "control-plane/browse/scratch_list.h"

#include <unistd.h>

#include <utility>

#include "common/sql/transaction.h"
#include "control-plane/store/rows.h"

namespace backstay::browse {
namespace {

void remove_files(const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm"}) (void)::unlink((path + suffix).c_str());
}

}  // namespace

Result<ScratchList> ScratchList::open(const std::string& path) {
    remove_files(path);
    auto database = TRY(sql::Database::open(path));
    // Nothing of it outlives a crash.
    TRY(database.run_script(
        "PRAGMA synchronous = OFF;"
        "CREATE TABLE objects (key TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, modified_at INTEGER NOT NULL, etag "
        "TEXT NOT NULL, orphan INTEGER NOT NULL) STRICT, WITHOUT ROWID;"));
    return ScratchList(path, std::move(database));
}

ScratchList::ScratchList(ScratchList&& other) noexcept
    : path_(std::exchange(other.path_, {})), database_(std::move(other.database_)) {}

ScratchList::~ScratchList() {
    if (!path_.empty()) remove_files(path_);
}

Result<> ScratchList::add(const std::vector<Entry>& page) {
    auto transaction = TRY(sql::Transaction::begin(database_));
    for (const Entry& entry : page) {
        TRY(database_.run("INSERT OR REPLACE INTO objects VALUES ($1, $2, $3, $4, $5)",
                          {entry.object.key, static_cast<std::int64_t>(entry.object.size_bytes),
                           entry.object.modified_at, entry.object.etag, entry.orphan}));
    }
    return transaction.commit();
}

Result<bool> ScratchList::has(const std::string& key) {
    auto found = TRY(database_.query("SELECT 1 FROM objects WHERE key = $1", {key}));
    return found.step();
}

Result<std::vector<ObjectInfo>> ScratchList::orphans_before(TimeMs cutoff, std::int64_t most) {
    return store::all_rows(
        database_.query("SELECT key, size_bytes, modified_at, etag FROM objects WHERE orphan AND "
                        "modified_at < $1 ORDER BY key LIMIT $2",
                        {cutoff, most}),
        [](const sql::Statement& row) {
            return ObjectInfo{row.text(0), static_cast<std::uint64_t>(row.integer(1)), row.integer(2), row.text(3), ""};
        });
}

}  // namespace backstay::browse
