// Content on its way to whoever asked for it.
#pragma once

#include <cstdint>
#include <optional>

#include "common/bytes.h"
#include "common/result.h"
#include "control-plane-client/client.h"

namespace backstay {

// An error is to be told. That nobody waits for the content any more is none.
Result<> deliver(control_plane::ControlPlaneClient& client, const control_plane::StorageRequest& request,
                 Source& content, std::optional<std::uint64_t> bytes);

}  // namespace backstay
