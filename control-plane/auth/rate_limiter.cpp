#include "control-plane/auth/rate_limiter.h"

#include <algorithm>
#include <utility>

namespace backstay::auth {
namespace {

// A twentieth of the limit is worth a message of its own.
constexpr std::int64_t kPressingPart = 20;

}  // namespace

RateDecision RateLimiter::take(std::string_view key, std::int64_t now_ms) {
    if (limit_ <= 0) return {};
    if (windows_.size() >= capacity_) make_room(now_ms);
    Window& window = windows_[std::string(key)];
    if (window.taken == 0 || now_ms - window.began_ms >= kWindowMs) window = {now_ms, 0, 0};
    ++window.taken;
    if (shared_) {
        ++window.untold;
        untold_.insert(std::string(key));
        pressing_ = pressing_ || window.untold * kPressingPart >= limit_;
    }
    return decide(window, now_ms);
}

RateDecision RateLimiter::look(std::string_view key, std::int64_t now_ms) const {
    if (limit_ <= 0) return {};
    const auto found = windows_.find(std::string(key));
    if (found == windows_.end() || now_ms - found->second.began_ms >= kWindowMs) return {true, limit_, limit_, 0};
    Window next = found->second;
    ++next.taken;
    return decide(next, now_ms);
}

RateDecision RateLimiter::decide(const Window& window, std::int64_t now_ms) const {
    RateDecision decision{window.taken <= limit_, limit_, std::max<std::int64_t>(0, limit_ - window.taken), 0};
    const std::int64_t left_ms = window.began_ms + kWindowMs - now_ms;
    if (!decision.allowed) decision.retry_after_s = std::max<std::int64_t>(1, (left_ms + 999) / 1000);
    return decision;
}

void RateLimiter::make_room(std::int64_t now_ms) {
    std::erase_if(windows_, [now_ms](const auto& item) { return now_ms - item.second.began_ms >= kWindowMs; });
    if (windows_.size() >= capacity_) windows_.clear();
    std::erase_if(untold_, [this](const std::string& key) { return !windows_.contains(key); });
}

std::vector<Taken> RateLimiter::gather() {
    std::vector<Taken> out;
    for (const std::string& key : untold_) {
        Window& window = windows_.at(key);
        out.push_back({key, window.began_ms, std::exchange(window.untold, 0)});
    }
    untold_.clear();
    pressing_ = false;
    return out;
}

void RateLimiter::settle(const Taken& gathered, std::optional<Sum> sum) {
    const auto found = windows_.find(gathered.key);
    // Another window began meanwhile: what was told is of the past.
    if (found == windows_.end() || found->second.began_ms != gathered.began_ms) return;
    Window& window = found->second;
    if (sum) {
        window.began_ms = sum->began_ms;
        window.taken = sum->count + window.untold;
    } else {
        window.untold += gathered.count;
        untold_.insert(gathered.key);
    }
}

}  // namespace backstay::auth
