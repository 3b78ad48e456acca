#include "agent/worker/settings.h"

#include "common/version.h"

namespace backstay {

Settings::Settings(AgentConfig config, std::string agent_id, const Clock& clock)
    : config_(std::move(config)),
      agent_id_(std::move(agent_id)),
      clock_(clock),
      rate_(config_.limits.rate_bytes_per_sec) {}

AgentConfig Settings::config() const {
    const std::lock_guard lock(mutex_);
    return config_;
}

void Settings::replace(AgentConfig config) {
    const std::lock_guard lock(mutex_);
    config.state_dir = config_.state_dir;
    config.socket = config_.socket;
    config.socket_group = config_.socket_group;
    config.wal_socket = config_.wal_socket;
    config.wal_group = config_.wal_group;
    config_ = std::move(config);
    rate_ = config_.limits.rate_bytes_per_sec;
}

void Settings::set_limits(const Limits& limits) {
    const std::lock_guard lock(mutex_);
    config_.limits = limits;
    rate_ = limits.rate_bytes_per_sec;
}

std::string Settings::agent_id() const {
    const std::lock_guard lock(mutex_);
    return agent_id_;
}

void Settings::set_agent_id(std::string agent_id) {
    const std::lock_guard lock(mutex_);
    agent_id_ = std::move(agent_id);
}

JobHost Settings::host(const AgentConfig& config) const {
    return JobHost{config, agent_id(), std::string(kVersion), clock_, rate_};
}

}  // namespace backstay
