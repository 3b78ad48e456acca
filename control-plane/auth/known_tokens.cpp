#include "control-plane/auth/known_tokens.h"

namespace backstay::auth {

std::optional<Claims> KnownTokens::find(const std::string& hash, TimeMs now) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(hash);
    if (found == entries_.end()) return std::nullopt;
    const Entry& entry = found->second;
    // A clock that was set back makes nothing known for longer.
    const bool fresh = now >= entry.verified_at && now < entry.verified_at + kKnownMs;
    if (!fresh || now >= entry.claims.expires_at) return std::nullopt;
    return entry.claims;
}

void KnownTokens::keep(const std::string& hash, const Claims& claims, TimeMs now) {
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kMost) entries_.clear();
    entries_.insert_or_assign(hash, Entry{claims, now});
}

}  // namespace backstay::auth
