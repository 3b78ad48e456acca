// A backup as the ZIP that Odoo's database manager restores, made here because the key and PostgreSQL's programs are
// here, and sent to the control plane as it is made.
#pragma once

#include <stop_token>

#include "agent/config/config.h"
#include "control-plane-client/client.h"

namespace backstay {

// request.destination may be of any type, request.prefix is the backup's folder there, request.key its id. An error can
// still be told to whoever asked: nothing was sent.
Result<> send_odoo_zip(const control_plane::StorageRequest& request, const AgentConfig& config,
                       control_plane::ControlPlaneClient& client, const std::stop_token& stop);

}  // namespace backstay
