// Free space of the agent's own folder and of local destinations, as measured last. Measuring may hang for ever on a
// disk that does not answer (NFS): whoever shows the figures never waits for it. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "common/clock.h"

namespace backstay::local_api {

struct Space {
    std::uint64_t free_bytes = 0;
    std::uint64_t min_free_bytes = 0;  // below it nothing more is written
};

class Spaces {
public:
    // What a folder of the agent's own ought to have left: the journal of jobs is written there.
    static constexpr std::uint64_t kStateLow = 256ULL << 20;

    // True for one caller every few seconds, who then measures.
    bool claim(std::int64_t steady_now_ms);
    // Blocks as long as the disks do.
    void measure(const AgentConfig& config);

    std::optional<Space> of_state() const;
    std::optional<Space> of_destination(const std::string& id) const;

private:
    mutable std::mutex mutex_;
    bool measuring_ = false;
    std::optional<std::int64_t> claimed_at_;
    std::optional<Space> state_;
    std::map<std::string, Space> destinations_;
};

}  // namespace backstay::local_api
