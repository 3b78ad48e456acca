// When to try again after a failure: doubling, jittered, bounded, and never before Retry-After.
#pragma once

#include <cstdint>
#include <random>

#include "common/result.h"

namespace backstay {

class Retry {
public:
    explicit Retry(std::uint64_t seed = std::random_device()()) : random_(seed) {}

    void succeeded() { delay_ms_ = 0; }
    // Milliseconds to wait before the next try. What is no passing trouble (denied, duplicate agent, not understood)
    // waits a minute.
    std::int64_t failed(const Error& error);
    // `value` ± a fifth.
    std::int64_t jittered(std::int64_t value);

private:
    std::minstd_rand random_;
    std::int64_t delay_ms_ = 0;
};

}  // namespace backstay
