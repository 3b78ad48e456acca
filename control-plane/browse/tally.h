// Counts what a scan lists, object by object in the order of keys. Pure, and bounded whatever the destination holds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/json/json.h"
#include "control-plane/browse/records.h"

namespace backstay::browse {

// A record of which files are missing in the destination.
struct StaleRecord {
    std::string id;
    bool is_snapshot = false;
    std::string environment_id;
    std::vector<std::string> missing;  // artifacts
    std::vector<std::string> keys;     // where each should lie
};

class Tally {
public:
    void add(const ObjectInfo& object, const Joined& joined);
    // After a clean-up: no longer there.
    void subtract_orphan(std::uint64_t size_bytes);
    void end();  // after the last object

    struct Outcome {
        std::string destination_id;
        TimeMs started_at = 0;
        TimeMs scanned_at = 0;
        std::string status;
        std::string error;
        std::int64_t stale_records = 0;
        std::vector<StaleRecord> stale;  // the first of them
        std::map<std::string, std::string> environment_names;
    };
    // The analytics object of contract/semantics.md 9.2.
    json::Value analytics(const Outcome& outcome) const;
    std::int64_t files() const { return files_; }

private:
    struct Sum {
        std::int64_t files = 0;
        std::uint64_t size_bytes = 0;
        void add(std::uint64_t bytes) {
            ++files;
            size_bytes += bytes;
        }
    };
    struct Environment {
        std::string project_id;
        Sum all;
        Sum orphans;
        std::int64_t backups = 0;
        std::int64_t snapshots = 0;
        std::uint64_t wal_bytes = 0;
    };
    struct Folder {  // of the record whose objects are being counted
        std::string id;
        bool has_manifest = false;
        bool in_flight = false;
        Environment* environment = nullptr;
        bool is_snapshot = false;
    };
    Environment* environment_of(const Joined& joined);
    void close_folder();

    std::int64_t files_ = 0;
    std::uint64_t size_bytes_ = 0;
    Sum linked_;
    Sum orphans_;
    std::int64_t incomplete_ = 0;
    std::optional<TimeMs> oldest_;
    std::optional<TimeMs> newest_;
    std::map<std::string, Environment> environments_;
    std::map<std::string, Sum> kinds_;
    json::Array first_orphans_;
    std::optional<Folder> folder_;
};

// Whether dropping so many records of so many is more than a scan may decide by itself (contract/semantics.md 9.2): a
// wrong bucket, or a folder that is not mounted, looks like that.
bool is_suspicious(std::int64_t stale, std::int64_t records);

// Objects older than this may be cleaned up.
TimeMs orphan_cutoff(std::int64_t retention_days, TimeMs now);

}  // namespace backstay::browse
