// Alerts as the contract writes them (contract/semantics.md 10.2): every field there, null for what is not known.
#pragma once

#include "control-plane/alerts/alert.h"
#include "control-plane/api/operation_answers.h"

namespace backstay::api {

Result<json::Value> alert_answer(Names& names, const alerts::Alert& alert);

}  // namespace backstay::api
