// What to do about a reason code (docs/operations.md has the same): one sentence for whoever reads why a host is not
// green. Errors' own hints are in the sentences of the evidence already.
#pragma once

#include <string>
#include <string_view>

#include "agent/local-api/messages.h"
#include "common/result.h"

namespace backstay::local_api {

// Empty for what needs nothing to be done, and for codes that are not known.
std::string_view advice(std::string_view reason);

// What to do when the control plane is not reached.
std::string contact_hint(const ControlPlaneView& plane);
// What to do about a destination that failed a probe, where the error itself does not say.
std::string destination_hint(const Error& error);

}  // namespace backstay::local_api
