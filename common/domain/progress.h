// The progress payload of the contract (contract/semantics.md 3.4): sent as events, kept in recoveryEvidence.progress.
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.h"

namespace backstay {

struct Progress {
    std::string operation;  // "backup", "restore" …
    std::string id;
    std::optional<std::string> environment_id;
    std::string status;  // the row's status: pending, running, completed, partial, failed, cancelled, reverted
    std::string step;
    std::string step_status;
    std::int32_t step_index = 0;  // 1-based
    std::int32_t step_count = 0;
    double percent = 0;  // 0 to 100, never falls
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;  // an estimate until the end
    std::uint64_t rate_bytes_per_sec = 0;
    std::string message;
    Timestamp at;
    bool done = false;
    std::optional<std::string> error;
};
BOOST_DESCRIBE_STRUCT(Progress, (),
                      (operation, id, environment_id, status, step, step_status, step_index, step_count, percent,
                       bytes_done, bytes_total, rate_bytes_per_sec, message, at, done, error))

}  // namespace backstay
