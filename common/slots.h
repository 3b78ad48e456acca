// How many of something may be under way at once, by name. Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace backstay {

class Slots {
public:
    // One of them, until it goes. The Slots outlive it.
    class Slot {
    public:
        Slot(Slots& slots, std::string of) : slots_(&slots), of_(std::move(of)) {}
        ~Slot() {
            if (slots_ != nullptr) slots_->give_back(of_);
        }
        Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)), of_(std::move(other.of_)) {}
        Slot& operator=(Slot&&) = delete;

    private:
        Slots* slots_;
        std::string of_;
    };

    // nullopt: there are `most` of them already.
    std::optional<Slot> take(const std::string& of, std::size_t most) {
        const std::lock_guard lock(mutex_);
        std::size_t& count = taken_[of];
        if (count >= most) return std::nullopt;
        ++count;
        return std::optional<Slot>(std::in_place, *this, of);
    }

private:
    void give_back(const std::string& of) {
        const std::lock_guard lock(mutex_);
        const auto found = taken_.find(of);
        if (--found->second == 0) taken_.erase(found);
    }

    std::mutex mutex_;
    std::map<std::string, std::size_t> taken_;
};

}  // namespace backstay
