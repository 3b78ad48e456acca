#include "storage/backoff.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>

namespace backstay {

std::uint64_t backoff_ms(int attempt, std::uint64_t first_ms, std::uint64_t longest_ms) {
    const int doublings = std::clamp(attempt - 1, 0, 30);
    const std::uint64_t full = std::min(longest_ms, first_ms << doublings);
    std::random_device entropy;
    return std::uniform_int_distribution<std::uint64_t>(full / 2, full)(entropy);
}

Result<> wait_ms(std::uint64_t milliseconds, const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_for(lock, stop, std::chrono::milliseconds(milliseconds), [] { return false; });
    if (stop.stop_requested()) return Error(Errc::cancelled, "stopped while waiting to try again");
    return {};
}

}  // namespace backstay
