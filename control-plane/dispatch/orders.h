// Orders as jobs keep them: complete but for the destinations' configuration, which is opened only to be handed out.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/orders.h"
#include "common/json/json.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::dispatch {

// The destination with its secrets in the clear; absent when the organization has none of that id any more.
using OpenDestination = std::function<Result<std::optional<DestinationOrder>>(
    sql::Database&, std::string_view organization_id, std::string_view destination_id)>;

// What the row keeps: configurations of destinations emptied, wherever they stand in the order.
json::Object without_secrets(json::Object order);

// The order ready to be handed out. not_found when a destination that it needs is gone; a source to read from (`from`,
// or a restore's and a deletion's destinations) that is gone is left out as long as another one remains; a snapshot's
// orders also do without any: they have the host's own copy.
Result<json::Object> with_secrets(
    json::Object order,
    const std::function<Result<std::optional<DestinationOrder>>(std::string_view destination_id)>& open);

}  // namespace backstay::dispatch
