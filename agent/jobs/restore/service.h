// The Odoo service of a target, when the configuration lets the agent manage it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "agent/config/config.h"
#include "agent/evidence/testimony.h"
#include "common/result.h"

namespace backstay::restore {

// Both commands are configured.
bool manages_service(const OdooConfig* odoo);
bool checks_health(const OdooConfig* odoo);

// Run the configured command (no shell) to its end, at most five minutes.
Result<Testimony> stop_instance(const OdooConfig& odoo, std::stop_token stop);
Result<Testimony> start_instance(const OdooConfig& odoo, std::stop_token stop);

// Asks health_url until it answers 200, at most `limit_ms`. health_check_failed.
Result<Testimony> await_health(const OdooConfig& odoo, std::stop_token stop, std::int64_t limit_ms = 120'000);

}  // namespace backstay::restore
