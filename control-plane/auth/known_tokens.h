// Tokens that were verified lately: a page of a console asks many times with the same one. Known by their hash, for a
// minute at most and never beyond their end, so that a key that is taken away is obeyed soon. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "common/clock.h"
#include "control-plane/auth/claims.h"
#include "control-plane/auth/lately.h"

namespace backstay::auth {

class KnownTokens {
public:
    static constexpr TimeMs kKnownMs = 60'000;
    static constexpr std::size_t kMost = 10'000;

    std::optional<Claims> find(std::string_view hash, TimeMs now) const {
        auto claims = lately_.find(hash, now);
        if (claims && now >= claims->expires_at) claims.reset();
        return claims;
    }
    void keep(std::string_view hash, Claims claims, TimeMs now) { lately_.keep(hash, std::move(claims), now); }

private:
    Lately<Claims> lately_{kMost, kKnownMs};
};

}  // namespace backstay::auth
