// What lies in a cluster's archive at one destination, by the names of its objects. Needs nothing but the destination;
// jobs ask it, not the agent's memory, because it is what a recovery will find.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/wal/archive.h"
#include "common/domain/lsn.h"
#include "common/result.h"

namespace backstay::base {

struct SegmentId {
    wal::Timeline timeline = 0;
    wal::Lsn start = 0;
    friend auto operator<=>(const SegmentId&, const SegmentId&) = default;
};

// "0000000100000002000000A3"
std::string segment_name(const SegmentId& id, std::uint64_t segment_bytes);
std::string history_name(wal::Timeline timeline);

struct WalMap {
    std::map<SegmentId, wal::ListedWal> segments;
    std::map<wal::Timeline, wal::ListedWal> histories;
    std::vector<std::pair<SegmentId, std::string>> companions;  // .backup and .partial files of segments: keys
    std::uint64_t stored_bytes = 0;
};

// `timeline` 0: all of them.
Result<WalMap> list_wal(wal::Archive& archive, wal::Timeline timeline, std::uint64_t segment_bytes,
                        const std::stop_token& stop);

// The first segment of [start, stop) that `archive` lacks, asked one by one.
Result<std::optional<SegmentId>> find_missing(wal::Archive& archive, wal::Timeline timeline, wal::Lsn start,
                                              wal::Lsn stop, std::uint64_t segment_bytes, const std::stop_token& token);

}  // namespace backstay::base
