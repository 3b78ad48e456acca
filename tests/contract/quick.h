// The patience of the tests of failures: as much as they need to see what happens.
#pragma once

#include "storage/destination.h"

namespace backstay::testing {

inline StorageContext quick() {
    StorageContext context;
    context.patience.stall_ms = 700;
    context.patience.attempts = 3;
    context.patience.piece_attempts = 4;
    context.patience.first_wait_ms = 2;
    context.patience.longest_wait_ms = 10;
    return context;
}

}  // namespace backstay::testing
