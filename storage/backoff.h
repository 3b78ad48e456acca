// Waiting between attempts: exponential, jittered, bounded, ended by a stop request.
#pragma once

#include <cstdint>
#include <stop_token>

#include "common/result.h"

namespace backstay {

// The wait before attempt `attempt` (the first retry is 1): `first_ms` doubled each time, at most `longest_ms`, drawn
// evenly between half and all of it so that many agents do not come back at once.
std::uint64_t backoff_ms(int attempt, std::uint64_t first_ms, std::uint64_t longest_ms);

// `cancelled` when stop was requested before or during the wait.
Result<> wait_ms(std::uint64_t milliseconds, const std::stop_token& stop);

}  // namespace backstay
