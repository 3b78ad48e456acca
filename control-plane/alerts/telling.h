// An alert as it leaves the control plane: in answers and in what subscribers are sent.
#pragma once

#include <optional>
#include <string>

#include "common/json/json.h"
#include "control-plane/alerts/alert.h"

namespace backstay::alerts {

struct Place {
    std::string environment_name;
    std::string environment_type;
};

// The contract's object, every field there.
json::Object alert_object(const Alert& alert, const std::optional<Place>& place);

}  // namespace backstay::alerts
