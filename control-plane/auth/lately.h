// What was found out a short while ago, so that it need not be found out again. Bounded; any thread.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/clock.h"
#include "common/text_hash.h"

namespace backstay::auth {

template <class Value>
class Lately {
public:
    Lately(std::size_t most, TimeMs known_ms) : most_(most), known_ms_(known_ms) {}

    std::optional<Value> find(std::string_view key, TimeMs now) const {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(key);
        if (found == entries_.end()) return std::nullopt;
        // A clock that was set back makes nothing known for longer.
        const TimeMs age = now - found->second.found_at;
        return age >= 0 && age < known_ms_ ? std::optional(found->second.value) : std::nullopt;
    }

    void keep(std::string_view key, Value value, TimeMs now) {
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= most_) entries_.clear();
        entries_.insert_or_assign(std::string(key), Entry{std::move(value), now});
    }

private:
    struct Entry {
        Value value;
        TimeMs found_at;
    };

    const std::size_t most_;
    const TimeMs known_ms_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, Entry, TextHash, std::equal_to<>> entries_;  // guarded by mutex_
};

}  // namespace backstay::auth
