// The agent's settings while it runs: configuration that may be read again (SIGHUP), limits that may change at once,
// and who the agent is. Thread-safe; jobs take a copy at their start.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "agent/jobs/jobs.h"
#include "common/clock.h"

namespace backstay {

class Settings {
public:
    Settings(AgentConfig config, std::string agent_id, const Clock& clock);

    AgentConfig config() const;
    // Keeps what cannot change while running: state folder, socket.
    void replace(AgentConfig config);
    void set_limits(const Limits& limits);

    std::string agent_id() const;
    void set_agent_id(std::string agent_id);

    const Clock& clock() const { return clock_; }
    // `config` must outlive the host, which jobs get.
    JobHost host(const AgentConfig& config) const;

private:
    mutable std::mutex mutex_;
    AgentConfig config_;
    std::string agent_id_;
    const Clock& clock_;
    std::atomic<std::uint64_t> rate_;
};

}  // namespace backstay
