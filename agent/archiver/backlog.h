// How much WAL waits, whether it grows, and when its disk will be full: from what each call of PostgreSQL's hook saw.
// Alarms rest on the forecast, not on failures: an archive that works, but too slowly, fills a disk as surely.
// A value; the caller locks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "common/clock.h"

namespace backstay::archiver {

struct BacklogSample {
    TimeMs at = 0;
    std::uint64_t waiting_bytes = 0;  // of all .ready files: not of what we still have to do
    std::uint64_t free_bytes = 0;     // of pg_wal's file system
    std::uint64_t total_bytes = 0;
};

class Backlog {
public:
    void add(const BacklogSample& sample);

    std::uint64_t waiting_bytes() const { return samples_.empty() ? 0 : samples_.back().waiting_bytes; }
    const BacklogSample* newest() const { return samples_.empty() ? nullptr : &samples_.back(); }
    // Bytes a second by which it grew (below 0: shrank) in the last minutes; nullopt: too little was seen.
    std::optional<double> growth() const;
    // At the present rate; nullopt: it does not grow, or too little was seen.
    std::optional<std::int64_t> seconds_to_full() const;

private:
    std::deque<BacklogSample> samples_;  // at least kStepMs apart but for the newest, at most kSpanMs back
};

}  // namespace backstay::archiver
