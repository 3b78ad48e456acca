#include "common/domain/wal_retention.h"

#include <algorithm>

namespace backstay::wal {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3'600'000;

bool is_sound(const Coverage& coverage, const Base& base) {
    return std::any_of(coverage.ranges.begin(), coverage.ranges.end(), [&](const Range& range) {
        return std::find(range.bases.begin(), range.bases.end(), base.backup_id) != range.bases.end();
    });
}

// The newest sound base that ended before the window, on the way that the coverage follows.
const Base* find_anchor(const Holdings& holdings, const Coverage& coverage, TimeMs window) {
    const Base* anchor = nullptr;
    for (const Base& base : holdings.bases) {
        if (base.ended_at > window || !is_sound(coverage, base)) continue;
        if (anchor == nullptr || anchor->ended_at < base.ended_at) anchor = &base;
    }
    return anchor;
}

struct Way {
    Timeline timeline = 0;
    const Base* anchor = nullptr;  // nullptr: nothing on this way may go
};

// The timeline that coverage follows first, then every other one that has commits inside the window: a clone's or a
// server's that was left for another.
std::vector<Way> find_ways(const Holdings& holdings, TimeMs window) {
    const Coverage main = cover(holdings);
    std::vector<Way> ways{{main.timeline, find_anchor(holdings, main, window)}};
    for (const Run& run : holdings.runs) {
        const bool known =
            std::any_of(ways.begin(), ways.end(), [&](const Way& way) { return way.timeline == run.timeline; });
        if (known || !run.last_commit || *run.last_commit < window) continue;
        const Coverage coverage = cover_timeline(holdings, run.timeline);
        // Only what can be had back needs keeping.
        if (!coverage.latest || *coverage.latest < window) continue;
        ways.push_back({run.timeline, find_anchor(holdings, coverage, window)});
    }
    return ways;
}

// Every way that the base is on has a later beginning of its window; on none, the main one's decides.
bool is_superfluous(const Holdings& holdings, const Base& base, const std::vector<Way>& ways) {
    for (const Way& way : ways) {
        if (!leads_to(holdings, base, way.timeline)) continue;
        if (way.anchor == nullptr || base.ended_at >= way.anchor->ended_at) return false;
    }
    return base.ended_at < ways.front().anchor->ended_at;
}

}  // namespace

bool is_clock_ahead(const Holdings& holdings, TimeMs now) {
    std::optional<TimeMs> newest;
    for (const Run& run : holdings.runs) newest = std::max(newest, run.last_commit);
    return newest && now - *newest > kDayMs;
}

Disposal choose_disposal(const Holdings& holdings, TimeMs now, std::int64_t days) {
    Disposal disposal;
    const TimeMs window = now - std::clamp<std::int64_t>(days, 1, kRetentionDaysMax) * kDayMs;
    const std::vector<Way> ways = find_ways(holdings, window);
    if (ways.front().anchor == nullptr) return disposal;
    disposal.anchor = ways.front().anchor->backup_id;
    std::vector<const Base*> gone;
    Lsn needed_from = ways.front().anchor->start;
    for (const Base& base : holdings.bases) {
        if (is_superfluous(holdings, base, ways)) {
            gone.push_back(&base);
        } else {
            needed_from = std::min(needed_from, base.start);
        }
    }
    std::sort(gone.begin(), gone.end(), [](const Base* a, const Base* b) { return a->ended_at < b->ended_at; });
    for (const Base* base : gone) disposal.bases.push_back(base->backup_id);
    const Lsn before = segment_start(needed_from, holdings.segment_bytes);
    const bool any =
        std::any_of(holdings.runs.begin(), holdings.runs.end(), [&](const Run& run) { return run.start < before; });
    if (any) disposal.segments_before = before;
    return disposal;
}

}  // namespace backstay::wal
