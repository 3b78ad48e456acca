#include "agent/artifact/throttle.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include "common/clock.h"

namespace backstay {

// A token bucket that may go into debt, so that no piece is too large for it; a quarter second may be saved up.
std::int64_t Throttle::try_take(std::uint64_t bytes) {
    const auto rate = static_cast<double>(rate_.load(std::memory_order_relaxed));
    if (rate <= 0) return 0;
    const std::lock_guard lock(mutex_);
    const std::int64_t now = steady_ms();
    tokens_ = std::min(rate / 4, tokens_ + static_cast<double>(now - filled_at_ms_) * rate / 1000.0);
    filled_at_ms_ = now;
    // Short waits: a changed rate is noticed within half a second.
    if (tokens_ < 0) return std::clamp<std::int64_t>(static_cast<std::int64_t>(-tokens_ * 1000 / rate), 1, 500);
    tokens_ -= static_cast<double>(bytes);
    return 0;
}

Result<> Throttle::take(std::uint64_t bytes) {
    while (true) {
        if (stop_.stop_requested()) return Error(Errc::cancelled, "stopped");
        const std::int64_t wait = try_take(bytes);
        if (wait == 0) return {};
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_for(lock, stop_, std::chrono::milliseconds(wait), [] { return false; });
    }
}

}  // namespace backstay
