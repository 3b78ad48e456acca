// A wall clock that a test moves by hand.
#pragma once

#include <atomic>

#include "common/clock.h"

namespace backstay {

class FakeClock final : public Clock {
public:
    explicit FakeClock(TimeMs start = 1'700'000'000'000) : now_(start) {}
    TimeMs now_ms() const override { return now_; }
    void advance(std::int64_t ms) { now_ += ms; }
    void set(TimeMs time) { now_ = time; }

private:
    std::atomic<TimeMs> now_;
};

}  // namespace backstay
