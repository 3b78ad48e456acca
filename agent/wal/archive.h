// One cluster's archive in one destination: files go in once and are never replaced, and come out only when they are
// what was put in. One thread at a time, as the Storage beneath. Every call may block.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/wal/archived_object.h"
#include "common/result.h"
#include "storage/storage.h"

namespace backstay::wal {

struct StoredWal {
    std::string key;
    std::uint64_t stored_bytes = 0;
    bool was_there = false;  // the same content had been stored before
};

struct ListedWal {
    ArchiveEntry entry;
    std::string key;
    std::uint64_t stored_bytes = 0;
    TimeMs stored_at = 0;
};
struct WalPage {
    std::vector<ListedWal> files;  // in the order of their keys: by timeline, then by position
    std::string next;              // for `continue_after`; empty: the last page
};

class Archive {
public:
    // `cluster_folder`: layout::cluster_folder. `key` for a destination that is encrypted, and to read what is: it may
    // be nullptr and outlives the archive, as `storage` does.
    Archive(Storage& storage, std::string cluster_folder, const StreamKey* key)
        : storage_(storage), folder_(std::move(cluster_folder)), key_(key) {}

    // Durable when it answers. The same content under that name again is a success, also when it was compressed or
    // encrypted otherwise. Another content is `conflict`, for ever: a clone, a copy of a machine or a split brain.
    Result<StoredWal> put(const PackedObject& object, bool encrypted);
    // not_found: no such file here (partial segments are not looked for).
    Result<ObjectHead> head(const WalName& name);
    // Streams the content; it counts only when this succeeds. `into` is not finished.
    Result<ObjectHead> get(const WalName& name, Sink& into);
    // A stored object as it is, checked to its end: for a destination that lacks it.
    Result<PackedObject> get_packed(const WalName& name, std::string_view digest, bool encrypted);
    // What is stored of a timeline, or with 0 of all.
    Result<WalPage> list(Timeline timeline, const std::string& continue_after, std::size_t most = 1000);
    // The description of a listed one.
    Result<ObjectHead> head_of(const ListedWal& listed);
    Result<> remove(const std::vector<std::string>& keys) { return storage_.remove_all(keys); }

    // wal::is_content() of an object of here.
    Result<bool> is_content(const PackedObject& object, const std::string& digest, bool encrypted) const {
        return wal::is_content(object, digest, encrypted ? key_ : nullptr);
    }

    const std::string& folder() const { return folder_; }

private:
    Result<ObjectHead> head_at(const std::string& key, bool encrypted);
    Error unreadable(const std::string& key);
    Result<ObjectHead> get_at(const std::string& key, bool encrypted, Sink& into);

    Storage& storage_;
    std::string folder_;
    const StreamKey* key_;
};

}  // namespace backstay::wal
