#include "agent/courier/retry.h"

#include <algorithm>
#include <charconv>

namespace backstay {
namespace {

constexpr std::int64_t kFirstMs = 500;
constexpr std::int64_t kMostMs = 60'000;
constexpr std::int64_t kRetryAfterMostS = 3600;

}  // namespace

std::int64_t Retry::jittered(std::int64_t value) {
    std::uniform_real_distribution<double> factor(0.8, 1.2);
    return static_cast<std::int64_t>(static_cast<double>(value) * factor(random_));
}

std::int64_t Retry::failed(const Error& error) {
    delay_ms_ = error.transient() ? std::clamp(delay_ms_ * 2, kFirstMs, kMostMs) : kMostMs;
    std::int64_t wait = jittered(delay_ms_);
    if (const auto found = error.facts().find("retry_after_s"); found != error.facts().end()) {
        std::int64_t seconds = 0;
        std::from_chars(found->second.data(), found->second.data() + found->second.size(), seconds);
        wait = std::max(wait, std::min(seconds, kRetryAfterMostS) * 1000);
    }
    return wait;
}

}  // namespace backstay
