// Requests a minute: a fixed window of 60 s for each credential, reads and writes apart, and for each peer whose
// credentials were refused. Bounded: beyond its capacity the windows that are over are forgotten, then all. Where
// several replicas count, what each took is gathered and the sum settled (serve/shared_limits.h). Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace backstay::auth {

struct RateDecision {
    bool allowed = true;
    std::int64_t limit = 0;
    std::int64_t remaining = 0;
    std::int64_t retry_after_s = 0;
};

// What was taken of one key since it was last gathered, of the window that began then.
struct Taken {
    std::string key;
    std::int64_t began_ms = 0;
    std::int64_t count = 0;
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

    // Others count too: from now on what is taken here is gathered for them.
    void share() { shared_ = true; }
    // Everything that others have not been told yet; it counts as told from then on.
    std::vector<Taken> gather();
    // Of a key that was gathered: all replicas together took so many in the window that began then. nullopt: it could
    // not be told, and is gathered again.
    struct Sum {
        std::int64_t began_ms = 0;
        std::int64_t count = 0;
    };
    void settle(const Taken& gathered, std::optional<Sum> sum);
    // Some key took so much of its limit since it was gathered that the others should know now.
    bool is_pressing() const { return pressing_; }

private:
    struct Window {
        std::int64_t began_ms = 0;
        std::int64_t taken = 0;
        std::int64_t untold = 0;
    };
    void make_room(std::int64_t now_ms);
    RateDecision decide(const Window& window, std::int64_t now_ms) const;

    std::int64_t limit_;
    std::size_t capacity_;
    std::unordered_map<std::string, Window> windows_;
    std::unordered_set<std::string> untold_;
    bool shared_ = false;
    bool pressing_ = false;
};

}  // namespace backstay::auth
