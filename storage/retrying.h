// A decorator that repeats whole calls which failed for a passing reason and may safely be made again: stat, list,
// remove, remove_all, sweep, free_bytes, and get before its first byte. put is left to the driver: its source is read
// once.
#pragma once

#include <memory>
#include <stop_token>

#include "storage/storage.h"

namespace backstay {

struct RetryPolicy {
    int attempts = 4;
    std::uint64_t first_wait_ms = 200;  // doubled each time, each wait drawn between half and all of it
    std::uint64_t longest_wait_ms = 10'000;
};

// When all attempts failed, the error names their number and the last one's reason.
std::unique_ptr<Storage> retry_calls(std::unique_ptr<Storage> inner, RetryPolicy policy, std::stop_token stop);

}  // namespace backstay
