// Positions in PostgreSQL's write-ahead log, and the timelines on which they stand. Values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace backstay::wal {

using Lsn = std::uint64_t;
using Timeline = std::uint32_t;

inline constexpr std::uint64_t kDefaultSegmentBytes = 16ULL << 20;

// "16/B374D848", as PostgreSQL writes it.
std::string format_lsn(Lsn lsn);
Result<Lsn> parse_lsn(std::string_view text);

// The beginning of the segment that holds it.
inline Lsn segment_start(Lsn lsn, std::uint64_t segment_bytes) { return lsn - lsn % segment_bytes; }

// Where a timeline left its parent.
struct Fork {
    Timeline parent = 0;
    Lsn at = 0;
    friend bool operator==(const Fork&, const Fork&) = default;
};

// A timeline's ancestors, oldest first: what its .history file says.
struct History {
    Timeline timeline = 0;
    std::vector<Fork> forks;
};

// The text of "<timeline>.history": corrupted when it is none, or when its timelines or positions fall.
Result<History> parse_history(Timeline timeline, std::string_view text);

}  // namespace backstay::wal
