// The header at the beginning of each page of write-ahead log, in this machine's byte order, as PostgreSQL 10 to 18
// write it. Pure functions that take any bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/wal/segment_name.h"
#include "common/bytes.h"
#include "common/domain/lsn.h"
#include "common/result.h"

namespace backstay::wal {

inline constexpr std::size_t kPageBytes = 8192;  // of every PostgreSQL that a distribution builds

// Of the first page of a segment only.
struct SegmentIdentity {
    std::uint64_t system_id = 0;
    std::uint32_t segment_bytes = 0;
    std::uint32_t page_bytes = 0;
};

struct PageHeader {
    std::uint16_t magic = 0;  // tells PostgreSQL's versions apart
    Timeline timeline = 0;
    Lsn address = 0;
    std::uint32_t remaining = 0;  // bytes that belong to the record of the page before
    bool continues = false;       // `remaining` counts
    bool overwrites = false;      // the record of the page before was never finished
    std::optional<SegmentIdentity> identity;
    std::size_t size = 0;
};

// nullopt: no page of write-ahead log.
std::optional<PageHeader> read_page_header(ByteSpan page);

// The major version of PostgreSQL behind a magic; 0: one that we do not know.
std::int32_t major_of_magic(std::uint16_t magic);

// Whether these bytes begin the segment that `name` says, of this cluster and segment size: rule 4 of the archiving
// contract. `corrupted` when they are no WAL or belong at another place, `conflict` when of another cluster.
Result<PageHeader> check_first_page(ByteSpan beginning, const WalName& name, std::uint64_t system_id,
                                    std::uint64_t segment_bytes);

}  // namespace backstay::wal
