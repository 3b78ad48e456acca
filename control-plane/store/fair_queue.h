// What many tenants want done by few threads: each tenant has a line of its own, and the lines take turns, so that a
// long one makes only its own tenant wait. Not thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/ids.h"

namespace backstay::store {

// Behind an organization's id: the line of its agents. Ten thousand heartbeats are not to hold up its people.
inline constexpr const char* kAgentsLine = " agents";

// Whose line it is: an organization's id, or empty: work of no single organization.
inline std::string_view organization_of(std::string_view tenant) {
    constexpr std::string_view kAgents = kAgentsLine;
    if (tenant.ends_with(kAgents)) tenant.remove_suffix(kAgents.size());
    return is_uuid(tenant) ? tenant : std::string_view();
}

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

    struct Turn {
        std::string tenant;
        Item item;
    };

    // The first of the line whose turn it is, of those that `may(tenant)` lets; the others keep their turns. None: no
    // line may.
    template <class May>
    std::optional<Turn> pop(const May& may) {
        const auto at = std::ranges::find_if(turns_, [&may](const auto& line) { return may(line->first); });
        if (at == turns_.end()) return std::nullopt;
        const auto line = *at;
        turns_.erase(at);
        std::string tenant = line->first;
        return Turn{std::move(tenant), take_first(line)};
    }

    // Null: nobody waits in this line.
    const Item* first_of(std::string_view tenant) const {
        const auto line = lines_.find(tenant);
        return line == lines_.end() ? nullptr : &line->second.front();
    }

    // The next of this line, out of its turn; the line stands behind all others then. None: it is empty, or `may(item)`
    // does not let its first.
    template <class May>
    std::optional<Item> pop_more(std::string_view tenant, const May& may) {
        const auto line = lines_.find(tenant);
        if (line == lines_.end() || !may(line->second.front())) return std::nullopt;
        turns_.erase(std::ranges::find(turns_, line));
        return take_first(line);
    }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

private:
    // Lists: most lines are one item long, and an empty deque takes more room than that.
    using Lines = std::map<std::string, std::list<Item>, std::less<>>;

    // Of a line that is not among the turns; it comes behind them.
    Item take_first(typename Lines::iterator line) {
        Item first = std::move(line->second.front());
        line->second.pop_front();
        --size_;
        if (line->second.empty()) {
            lines_.erase(line);
        } else {
            turns_.push_back(line);
        }
        return first;
    }

    const std::size_t room_;
    const std::size_t always_;
    std::size_t size_ = 0;
    Lines lines_;  // none is empty
    std::deque<typename Lines::iterator> turns_;
};

}  // namespace backstay::store
