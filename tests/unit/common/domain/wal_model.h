// An archive as a test makes it up, segment by segment, and a slow answer to "can this moment be had back" that walks
// the segments one by one.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/domain/wal_coverage.h"

namespace backstay::wal::testing {

inline constexpr std::uint64_t kSegment = 16ULL << 20;

struct Model {
    std::vector<ArchivedSegment> segments;  // what the archive holds
    std::vector<History> histories;
    std::vector<Base> bases;
    Timeline newest = 1;
    Lsn fork = 0;  // where timeline 2 left timeline 1; 0: it did not

    Holdings holdings() const { return {kSegment, sum_up(segments, kSegment, histories), histories, bases}; }

    const ArchivedSegment* find(Timeline timeline, Lsn start) const {
        for (const ArchivedSegment& segment : segments) {
            if (segment.timeline == timeline && segment.start == start) return &segment;
        }
        return nullptr;
    }

    // The timeline from which a recovery to the newest one reads the segment.
    Timeline timeline_at(Lsn start) const {
        return newest == 2 && start >= segment_start(fork, kSegment) ? 2 : (newest == 2 ? 1 : newest);
    }

    bool reachable_from(const Base& base, TimeMs target) const {
        if (base.ended_at > target || (newest == 2 && base.timeline == 1 && base.stop > fork)) return false;
        TimeMs last = 0;
        Lsn at = segment_start(base.start, kSegment);
        for (;; at += kSegment) {
            const ArchivedSegment* segment = find(timeline_at(at), at);
            if (segment == nullptr) break;
            last = std::max(last, segment->last_commit.value_or(last));
        }
        return at >= base.stop && target <= last;
    }
    bool reachable(TimeMs target) const {
        return std::any_of(bases.begin(), bases.end(), [&](const Base& base) { return reachable_from(base, target); });
    }
};

// A few dozen segments, some missing, some without commits, a few bases, sometimes a promotion with both sides going
// on.
class Maker {
public:
    explicit Maker(unsigned seed) : random_(seed) {}

    Model make() {
        Model model;
        const int count = between(4, 40);
        const bool promoted = between(0, 2) == 0;
        const int fork_at = between(2, count);
        if (promoted) {
            model.newest = 2;
            model.fork = kSegment * static_cast<Lsn>(fork_at) + static_cast<Lsn>(between(0, 1) * between(1, 1000));
            model.histories.push_back({2, {{1, model.fork}}});
        }
        TimeMs clock = 1'000'000;
        for (int i = 1; i < count; ++i) {
            const Lsn start = kSegment * static_cast<Lsn>(i);
            const bool after = promoted && i >= fork_at;
            add(model, after ? 2 : 1, start, clock);
            // The abandoned primary goes on, with older clocks so that it is not taken for the newest.
            if (after && between(0, 1) == 0) model.segments.push_back({1, start, 500'000, 600'000});
        }
        // The newest timeline ends in a commit of its own.
        clock += 1000;
        const Timeline last = promoted ? 2 : 1;
        model.segments.push_back({last, kSegment * static_cast<Lsn>(std::max(count, fork_at)), clock, clock});
        if (between(0, 1) == 0) std::shuffle(model.segments.begin(), model.segments.end(), random_);
        return model;
    }

    int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

private:
    void add(Model& model, Timeline timeline, Lsn start, TimeMs& clock) {
        ArchivedSegment segment{timeline, start, std::nullopt, std::nullopt};
        if (between(0, 4) != 0) {
            segment.first_commit = clock += between(1, 500);
            segment.last_commit = clock += between(0, 500);
        }
        const bool base = between(0, 6) == 0;
        if (between(0, 12) != 0) model.segments.push_back(segment);
        if (!base) return;
        const Lsn first = start + static_cast<Lsn>(between(40, 1000));
        const Lsn stop = first + static_cast<Lsn>(between(0, 1)) * kSegment;
        const TimeMs begun = clock;
        clock += between(600, 3000);
        model.bases.push_back({"base-" + std::to_string(model.bases.size()), timeline, first, stop, begun, clock});
    }

    std::mt19937 random_;
};

}  // namespace backstay::wal::testing
