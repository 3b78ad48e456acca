#include "common/domain/wal_coverage.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace backstay::wal {
namespace {

constexpr Lsn kOpen = std::numeric_limits<Lsn>::max();

template <class Better>
void merge_time(std::optional<TimeMs>& into, const std::optional<TimeMs>& other, Better better) {
    if (other && (!into || better(*other, *into))) into = other;
}

void absorb(Run& run, const std::optional<TimeMs>& first, const std::optional<TimeMs>& last) {
    merge_time(run.first_commit, first, std::less<>());
    merge_time(run.last_commit, last, std::greater<>());
}

const History* find_history(const std::vector<History>& histories, Timeline timeline) {
    const auto found = std::find_if(histories.begin(), histories.end(),
                                    [&](const History& history) { return history.timeline == timeline; });
    return found == histories.end() ? nullptr : &*found;
}

// The timeline whose WAL holds the latest commit; of equal ones the newest.
Timeline pick_timeline(const Holdings& holdings) {
    const auto later = [](const Run& a, const Run& b) {
        if (a.last_commit != b.last_commit) return a.last_commit < b.last_commit;
        return a.timeline < b.timeline;
    };
    const auto found = std::max_element(holdings.runs.begin(), holdings.runs.end(), later);
    return found == holdings.runs.end() ? 0 : found->timeline;
}

// What lies on the way, joined where nothing is missing between.
std::vector<Run> stretches_of(const Holdings& holdings, const std::vector<Stage>& stages) {
    std::vector<Run> parts;
    for (const Run& run : holdings.runs) {
        for (const Stage& stage : stages) {
            if (stage.timeline != run.timeline) continue;
            Run part = run;
            part.start = std::max(run.start, stage.start);
            part.end = std::min(run.end, stage.end);
            if (part.start >= part.end) continue;
            // Part of a run: only its own end tells how late its commits are.
            if (part.end != run.end) part.last_commit = part.first_commit;
            if (part.start != run.start) part.first_commit = part.last_commit;
            parts.push_back(part);
        }
    }
    std::sort(parts.begin(), parts.end(), [](const Run& a, const Run& b) { return a.start < b.start; });
    std::vector<Run> joined;
    for (const Run& part : parts) {
        if (!joined.empty() && joined.back().end >= part.start) {
            joined.back().end = std::max(joined.back().end, part.end);
            absorb(joined.back(), part.first_commit, part.last_commit);
        } else {
            joined.push_back(part);
        }
    }
    return joined;
}

bool on_the_way(const Base& base, const std::vector<Stage>& stages, const std::vector<History>& histories,
                Timeline timeline) {
    const auto stage =
        std::find_if(stages.begin(), stages.end(), [&](const Stage& one) { return one.timeline == base.timeline; });
    if (stage == stages.end() || base.start < stage->start) return false;
    // Up to where the timeline was left, to the byte.
    const History* history = find_history(histories, timeline);
    if (history == nullptr) return true;
    for (const Fork& fork : history->forks) {
        if (fork.parent == base.timeline) return base.stop <= fork.at;
    }
    return true;
}

bool holds(const Run& stretch, const Base& base) { return stretch.start <= base.start && base.stop <= stretch.end; }

}  // namespace

std::vector<Run> sum_up(std::vector<ArchivedSegment> segments, std::uint64_t segment_bytes,
                        const std::vector<History>& histories) {
    std::set<std::pair<Timeline, Lsn>> cuts;
    for (const History& history : histories) {
        for (const Fork& fork : history.forks) cuts.emplace(fork.parent, segment_start(fork.at, segment_bytes));
    }
    std::sort(segments.begin(), segments.end(), [](const ArchivedSegment& a, const ArchivedSegment& b) {
        return std::pair(a.timeline, a.start) < std::pair(b.timeline, b.start);
    });
    std::vector<Run> runs;
    for (const ArchivedSegment& segment : segments) {
        const bool again = !runs.empty() && runs.back().timeline == segment.timeline && segment.start < runs.back().end;
        const bool follows = !runs.empty() && runs.back().timeline == segment.timeline &&
                             segment.start == runs.back().end && !cuts.contains({segment.timeline, segment.start});
        if (!again && !follows) runs.push_back({segment.timeline, segment.start, segment.start, {}, {}});
        if (!again) runs.back().end = segment.start + segment_bytes;
        absorb(runs.back(), segment.first_commit, segment.last_commit);
    }
    return runs;
}

std::vector<Stage> stages_of(Timeline timeline, const std::vector<History>& histories, std::uint64_t segment_bytes) {
    std::vector<Stage> stages;
    Lsn from = 0;
    if (const History* history = find_history(histories, timeline)) {
        for (const Fork& fork : history->forks) {
            // The segment in which a timeline was left is read from its child, which holds both.
            const Lsn to = segment_start(fork.at, segment_bytes);
            stages.push_back({fork.parent, from, to});
            from = to;
        }
    }
    stages.push_back({timeline, from, kOpen});
    return stages;
}

Coverage cover(const Holdings& holdings) { return cover_timeline(holdings, pick_timeline(holdings)); }

bool leads_to(const Holdings& holdings, const Base& base, Timeline timeline) {
    const auto stages = stages_of(timeline, holdings.histories, holdings.segment_bytes);
    return on_the_way(base, stages, holdings.histories, timeline);
}

Coverage cover_timeline(const Holdings& holdings, Timeline timeline) {
    Coverage coverage;
    coverage.timeline = timeline;
    if (coverage.timeline == 0) return coverage;
    const std::vector<Stage> stages = stages_of(coverage.timeline, holdings.histories, holdings.segment_bytes);
    std::vector<Base> bases;
    for (const Base& base : holdings.bases) {
        if (on_the_way(base, stages, holdings.histories, coverage.timeline)) bases.push_back(base);
    }
    std::sort(bases.begin(), bases.end(), [](const Base& a, const Base& b) { return a.ended_at < b.ended_at; });
    std::optional<TimeMs> last_seen;
    for (const Run& stretch : stretches_of(holdings, stages)) {
        Range range;
        range.end = stretch.end;
        for (const Base& base : bases) {
            // Between the last known commit and the end of a base others may have been, in WAL that is not there.
            if (!holds(stretch, base) || !stretch.last_commit || *stretch.last_commit < base.ended_at) continue;
            if (range.bases.empty()) {
                range.time = {base.ended_at, *stretch.last_commit};
                range.start = base.start;
            }
            range.bases.push_back(base.backup_id);
        }
        merge_time(last_seen, stretch.last_commit, std::greater<>());
        if (range.bases.empty()) continue;
        const bool gap = !coverage.ranges.empty() && coverage.ranges.back().time.end < range.time.start;
        if (gap) coverage.gaps.push_back({coverage.ranges.back().time.end, range.time.start});
        coverage.ranges.push_back(std::move(range));
    }
    if (coverage.ranges.empty()) return coverage;
    coverage.earliest = coverage.ranges.front().time.start;
    coverage.latest = coverage.ranges.back().time.end;
    // Later WAL that no base reaches.
    if (last_seen && *last_seen > *coverage.latest) coverage.gaps.push_back({*coverage.latest, *last_seen});
    return coverage;
}

Nearest find_nearest(const Coverage& coverage, TimeMs target) {
    Nearest nearest;
    for (const Range& range : coverage.ranges) {
        if (range.time.start <= target && target <= range.time.end) return {Reach::inside, target, target};
        if (range.time.end < target) merge_time(nearest.before, range.time.end, std::greater<>());
        if (range.time.start > target) merge_time(nearest.after, range.time.start, std::less<>());
    }
    if (coverage.ranges.empty()) return nearest;
    const bool in_gap = std::any_of(coverage.gaps.begin(), coverage.gaps.end(),
                                    [&](const TimeRange& gap) { return gap.start < target && target <= gap.end; });
    if (in_gap) {
        nearest.reach = Reach::in_gap;
    } else {
        nearest.reach = nearest.before ? Reach::after_all : Reach::before_all;
    }
    return nearest;
}

const Base* choose_base(const Holdings& holdings, const Coverage& coverage, TimeMs target) {
    const Base* chosen = nullptr;
    for (const Range& range : coverage.ranges) {
        if (target < range.time.start || target > range.time.end) continue;
        for (const Base& base : holdings.bases) {
            const bool inside = std::find(range.bases.begin(), range.bases.end(), base.backup_id) != range.bases.end();
            if (inside && base.ended_at <= target && (chosen == nullptr || chosen->ended_at < base.ended_at)) {
                chosen = &base;
            }
        }
    }
    return chosen;
}

}  // namespace backstay::wal
