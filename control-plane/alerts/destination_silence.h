// Since when a destination cannot be connected to. Runs inside the caller's transaction.
#pragma once

#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"

namespace backstay::alerts {

class DestinationSilences {
public:
    explicit DestinationSilences(sql::Database& db) : db_(db) {}

    // Somebody tried in vain; the first time counts.
    Result<> begin(std::string_view destination, std::string_view message, TimeMs now);
    // Somebody got through: an alert of it is over.
    Result<> end(std::string_view destination, TimeMs now);
    // Raises alerts of those that are silent for long. Called by the sweep.
    Result<> tell(TimeMs now);

private:
    sql::Database& db_;
};

}  // namespace backstay::alerts
