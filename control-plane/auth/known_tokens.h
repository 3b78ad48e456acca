// Tokens that were verified lately: a page of a console asks many times with the same one. Known by their hash, for a
// minute at most and never beyond their end, so that a key that is taken away is obeyed soon. Any thread.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/clock.h"
#include "control-plane/auth/claims.h"

namespace backstay::auth {

class KnownTokens {
public:
    static constexpr TimeMs kKnownMs = 60'000;
    static constexpr std::size_t kMost = 10'000;

    std::optional<Claims> find(const std::string& hash, TimeMs now) const;
    void keep(const std::string& hash, const Claims& claims, TimeMs now);

private:
    struct Entry {
        Claims claims;
        TimeMs verified_at = 0;
    };
    mutable std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;  // guarded by mutex_
};

}  // namespace backstay::auth
