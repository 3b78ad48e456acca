// Which moments of a cluster can be had back: from what its archive holds to ranges, gaps and the nearest reachable
// time. Pure functions; times are commit times of the cluster's own clock (contract/semantics.md 6.2).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/domain/lsn.h"

namespace backstay::wal {

// One archived segment.
struct ArchivedSegment {
    Timeline timeline = 0;
    Lsn start = 0;
    std::optional<TimeMs> first_commit;  // nullopt: it holds none
    std::optional<TimeMs> last_commit;   // the latest, wherever in the segment it stands
};

// Segments without a hole on one timeline, [start, end).
struct Run {
    Timeline timeline = 0;
    Lsn start = 0;
    Lsn end = 0;
    std::optional<TimeMs> first_commit;
    std::optional<TimeMs> last_commit;
};

// A base backup. `ended_at` is no earlier than any commit before `stop`.
struct Base {
    std::string backup_id;
    Timeline timeline = 0;
    Lsn start = 0;
    Lsn stop = 0;
    TimeMs started_at = 0;
    TimeMs ended_at = 0;
};

struct Holdings {
    std::uint64_t segment_bytes = kDefaultSegmentBytes;
    std::vector<Run> runs;
    std::vector<History> histories;
    std::vector<Base> bases;
};

// Sums up segments, given in any order (twice is once), as runs; a run ends where a timeline of `histories` leaves its
// parent, so that each run is whole on or off the way to a timeline.
std::vector<Run> sum_up(std::vector<ArchivedSegment> segments, std::uint64_t segment_bytes,
                        const std::vector<History>& histories);

struct TimeRange {
    TimeMs start = 0;
    TimeMs end = 0;
    friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

// Unbroken WAL with at least one base: every moment from the first base's end to the last commit. A base counts from
// the first commit after its end on: only then is it known that nothing is missing.
struct Range {
    TimeRange time;
    Lsn start = 0;                   // of the first base
    Lsn end = 0;                     // of the WAL
    std::vector<std::string> bases;  // oldest first
};

struct Coverage {
    Timeline timeline = 0;  // whose ancestry was followed; 0: there is no WAL
    std::vector<Range> ranges;
    std::vector<TimeRange> gaps;
    std::optional<TimeMs> earliest;
    std::optional<TimeMs> latest;
};

// Follows the timeline with the latest commit back to its ancestors. What other timelines wrote after they were left is
// not on the way and counts for nothing.
Coverage cover(const Holdings& holdings);
// The same along another timeline's ancestry.
Coverage cover_timeline(const Holdings& holdings, Timeline timeline);
// Whether WAL leads from the base to that timeline, as far as histories tell.
bool leads_to(const Holdings& holdings, const Base& base, Timeline timeline);

enum class Reach { inside, before_all, after_all, in_gap, nothing };

struct Nearest {
    Reach reach = Reach::nothing;
    std::optional<TimeMs> before;  // the latest reachable moment before it; inside: it itself
    std::optional<TimeMs> after;   // the earliest reachable moment after it
};
Nearest find_nearest(const Coverage& coverage, TimeMs target);

// The base to begin from: the newest that ended at or before the target, in the target's range. nullptr: unreachable.
const Base* choose_base(const Holdings& holdings, const Coverage& coverage, TimeMs target);

// How a recovery from `base` to the coverage's timeline walks through the archive: pieces of timelines, in order.
struct Stage {
    Timeline timeline = 0;
    Lsn start = 0;  // beginnings of segments
    Lsn end = 0;    // UINT64_MAX: open
};
std::vector<Stage> stages_of(Timeline timeline, const std::vector<History>& histories, std::uint64_t segment_bytes);

}  // namespace backstay::wal
