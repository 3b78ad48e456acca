#include "agent/local-api/spaces.h"

#include "common/files/files.h"
#include "storage/destination_json.h"

namespace backstay::local_api {
namespace {

constexpr std::int64_t kEveryMs = 5'000;

}  // namespace

bool Spaces::claim(std::int64_t steady_now_ms) {
    const std::lock_guard lock(mutex_);
    if (measuring_ || (claimed_at_ && steady_now_ms - *claimed_at_ < kEveryMs)) return false;
    claimed_at_ = steady_now_ms;
    measuring_ = true;
    return true;
}

void Spaces::measure(const AgentConfig& config) {
    std::optional<Space> state;
    std::map<std::string, Space> destinations;
    if (const auto space = free_space(config.state_dir)) state = Space{space->free_bytes, kStateLow};
    for (const DestinationOrder& order : config.destinations) {
        const auto destination = decode_destination(order);
        if (!destination || !destination->local) continue;
        const auto space = free_space(destination->local->path);
        if (space) destinations[order.id] = {space->free_bytes, destination->local->min_free_bytes};
    }
    const std::lock_guard lock(mutex_);
    state_ = state;
    destinations_ = std::move(destinations);
    measuring_ = false;
}

std::optional<Space> Spaces::of_state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

std::optional<Space> Spaces::of_destination(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = destinations_.find(id);
    return found == destinations_.end() ? std::nullopt : std::optional<Space>(found->second);
}

}  // namespace backstay::local_api
