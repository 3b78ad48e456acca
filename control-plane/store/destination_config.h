// A destination's configuration between its row, where it is sealed for that very row, and the order that an agent or a
// driver gets, where its secrets stand in the clear.
#pragma once

#include <string>
#include <string_view>

#include "common/crypto/secret_box.h"
#include "common/domain/orders.h"
#include "common/json/json.h"
#include "common/result.h"
#include "control-plane/store/destinations.h"

namespace backstay::store {

std::string seal_config(const SecretBox& box, std::string_view destination_id, const json::Object& config);

// corrupted: the row was sealed under another key.
Result<DestinationOrder> open_config(const SecretBox& box, const DestinationRow& row);

}  // namespace backstay::store
