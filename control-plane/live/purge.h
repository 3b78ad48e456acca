// Forgets old history in small pieces, so that a store does not grow for ever and no writer waits long.
#pragma once

#include "common/clock.h"
#include "common/result.h"
#include "common/sql/database.h"
#include "control-plane/config/settings.h"
#include "control-plane/live/purge_operations.h"

namespace backstay::live {

// Upkeep thread.
class Purge {
public:
    explicit Purge(const RetentionSettings& keep) : keep_(keep), operations_(keep) {}

    // One piece, in transactions of its own; answers whether there may be more. Goes: audit entries, answers to
    // idempotency keys, tokens and keys that are over; alerts of 90 days whose cause is over or that were dismissed,
    // and deliveries of 30 days; operations as OperationPurge tells.
    Result<bool> some(sql::Database& db, TimeMs now);

private:
    const RetentionSettings keep_;
    OperationPurge operations_;
    bool goes_on_ = false;  // the next piece is of the operations
};

}  // namespace backstay::live
