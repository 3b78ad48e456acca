// How fast a job may read, over all its threads together; the rate may change while it runs. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <stop_token>

#include "common/result.h"

namespace backstay {

class Throttle {
public:
    // `bytes_per_sec` outlives it; 0 is unlimited.
    Throttle(const std::atomic<std::uint64_t>& bytes_per_sec, std::stop_token stop)
        : rate_(bytes_per_sec), stop_(std::move(stop)) {}

    // Waits until these bytes may pass. `cancelled` when a stop is requested.
    Result<> take(std::uint64_t bytes);

private:
    // 0: taken; else milliseconds to wait before asking again.
    std::int64_t try_take(std::uint64_t bytes);

    const std::atomic<std::uint64_t>& rate_;
    std::stop_token stop_;
    std::mutex mutex_;
    double tokens_ = 0;
    std::int64_t filled_at_ms_ = 0;
};

}  // namespace backstay
