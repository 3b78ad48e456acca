// The database artifact: pg_dump inside the snapshot, in one stream or in parallel, and what its table of contents
// says.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

#include "agent/artifact/throttle.h"
#include "agent/evidence/testimony.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/backup/shipping.h"

namespace backstay::backup {

struct DatabaseStored {
    ManifestArtifact artifact;
    std::string dump_format;  // "custom", "directory"
    std::int64_t toc_entries = 0;
    std::int64_t table_data_entries = 0;
    std::map<std::int64_t, std::int64_t> rows_by_oid;  // counted in the dump itself, where its way allows that
    ManifestContents contents;                         // counted in the same snapshot
    std::string end_lsn;
    std::string pg_dump_version;
};
Testimony testify(const DatabaseStored& stored);

// The parallel way falls back to the stream when a worker cannot get its lock.
Result<DatabaseStored> store_database(Prepared& prepared, Shipping& shipping, Throttle& throttle,
                                      ProgressMeter& progress, std::stop_token stop);

}  // namespace backstay::backup
