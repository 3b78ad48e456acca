// Requests a minute: a fixed window of 60 s for each credential, reads and writes apart, and for each peer whose
// credentials were refused. Bounded: beyond its capacity the windows that are over are forgotten, then all. Loop
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace backstay::auth {

struct RateDecision {
    bool allowed = true;
    std::int64_t limit = 0;
    std::int64_t remaining = 0;
    std::int64_t retry_after_s = 0;
};

class RateLimiter {
public:
    static constexpr std::int64_t kWindowMs = 60'000;

    // At most `limit` takes a window for each key; 0: no limit.
    explicit RateLimiter(std::int64_t limit, std::size_t capacity = 50'000) : limit_(limit), capacity_(capacity) {}

    // Counts one. `now_ms` is monotonic.
    RateDecision take(std::string_view key, std::int64_t now_ms);
    // Whether one more would be allowed, without counting it.
    RateDecision look(std::string_view key, std::int64_t now_ms) const;
    std::int64_t limit() const { return limit_; }

private:
    struct Window {
        std::int64_t began_ms = 0;
        std::int64_t taken = 0;
    };
    void make_room(std::int64_t now_ms);
    RateDecision decide(const Window& window, std::int64_t now_ms) const;

    std::int64_t limit_;
    std::size_t capacity_;
    std::unordered_map<std::string, Window> windows_;
};

}  // namespace backstay::auth
