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

}  // namespace

Disposal choose_disposal(const Holdings& holdings, TimeMs now, std::int64_t days) {
    Disposal disposal;
    const Coverage coverage = cover(holdings);
    const TimeMs window = now - std::clamp<std::int64_t>(days, 1, kRetentionDaysMax) * kDayMs;
    const Base* anchor = nullptr;
    for (const Base& base : holdings.bases) {
        if (base.ended_at > window || !is_sound(coverage, base)) continue;
        if (anchor == nullptr || anchor->ended_at < base.ended_at) anchor = &base;
    }
    if (anchor == nullptr) return disposal;
    disposal.anchor = anchor->backup_id;
    std::vector<const Base*> gone;
    Lsn needed_from = anchor->start;
    for (const Base& base : holdings.bases) {
        if (base.ended_at < anchor->ended_at) {
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
