// What many tenants want done by few threads: each tenant has a line of its own, and the lines take turns, so that a
// long one makes only its own tenant wait. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace backstay::store {

// Behind an organization's id: the line of its agents. Ten thousand heartbeats are not to hold up its people.
inline constexpr const char* kAgentsLine = " agents";

template <class Item>
class FairQueue {
public:
    // One tenant alone may have so many waiting.
    explicit FairQueue(std::size_t most) : room_(2 * most), always_(std::min(most, kAlways)) {}

    // So many may wait in each line, however little room is left.
    static constexpr std::size_t kAlways = 8;

    // False: no room for this tenant. A line may be as long as the room that is left; kAlways have room in each.
    bool push(std::string_view tenant, Item item) {
        auto line = lines_.find(tenant);
        const std::size_t length = line == lines_.end() ? 0 : line->second.size();
        if (length >= always_ && length + size_ >= room_) return false;
        if (length == 0) {
            line = lines_.try_emplace(std::string(tenant)).first;
            turns_.push_back(line);
        }
        line->second.push_back(std::move(item));
        ++size_;
        return true;
    }

    // The first of the line whose turn it is. Not of an empty queue.
    Item pop() {
        const auto line = turns_.front();
        turns_.pop_front();
        Item item = std::move(line->second.front());
        line->second.pop_front();
        --size_;
        if (line->second.empty()) {
            lines_.erase(line);
        } else {
            turns_.push_back(line);
        }
        return item;
    }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

private:
    using Lines = std::map<std::string, std::deque<Item>, std::less<>>;

    const std::size_t room_;
    const std::size_t always_;
    std::size_t size_ = 0;
    Lines lines_;  // none is empty
    std::deque<typename Lines::iterator> turns_;
};

}  // namespace backstay::store
