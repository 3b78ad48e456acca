// The progress of one operation: counted by any thread, read as a snapshot. Percent never falls.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/domain/progress.h"
#include "common/domain/steps.h"

namespace backstay {

class ProgressMeter {
public:
    ProgressMeter(const Clock& clock, std::string operation, std::string id, std::string environment_id);

    // Fixes steps and their weights.
    void set_plan(const OperationPlan& plan);
    void began(std::string_view step);
    void ended(std::string_view step, StepStatus status);
    // Expected and done bytes of a step; estimates may be corrected later, upwards or downwards.
    void set_total(std::string_view step, std::uint64_t bytes);
    void add(std::string_view step, std::uint64_t bytes);
    void set_message(std::string message);
    // The row's final status; error empty on success.
    void finish(std::string status, std::string error);

    Progress snapshot() const;

private:
    struct StepMeter {
        std::int32_t index = 0;
        std::int32_t weight = 0;
        StepStatus status = StepStatus::pending;
        std::uint64_t total = 0;
        std::uint64_t done = 0;
    };
    double percent_locked() const;

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, StepMeter, std::less<>> steps_;
    mutable Progress last_;
    mutable std::int64_t rate_since_ms_ = 0;
    mutable std::uint64_t rate_since_bytes_ = 0;
};

}  // namespace backstay
