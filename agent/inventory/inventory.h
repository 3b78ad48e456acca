// What there is on this host: servers, their databases, which of them are Odoo, where its files are, and free space.
// Blocks for as long as servers take to answer; any thread. Never an error: what cannot be looked into says why.
#pragma once

#include <stop_token>

#include "agent/config/config.h"
#include "control-plane-client/protocol.h"

namespace backstay {

control_plane::Inventory take_inventory(const AgentConfig& config, const std::stop_token& stop);

}  // namespace backstay
