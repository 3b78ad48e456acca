// What the agent tells Prometheus: its status in the text exposition format 0.0.4. Names and units as Prometheus wants
// them: base units (bytes, seconds, Unix timestamps), counters end in _total.
#pragma once

#include <string>

#include "agent/local-api/messages.h"

namespace backstay::local_api {

std::string metrics_text(const StatusAnswer& status);

}  // namespace backstay::local_api
