#include "agent/evidence/progress_meter.h"

#include <algorithm>

namespace backstay {
namespace {
// A step that is running but has no estimate shows half of its share: better than a bar that seems stuck.
constexpr double kUnknownShare = 0.5;
constexpr std::int64_t kRateWindowMs = 2000;
}  // namespace

ProgressMeter::ProgressMeter(const Clock& clock, std::string operation, std::string id, std::string environment_id)
    : clock_(clock) {
    last_.operation = std::move(operation);
    last_.id = std::move(id);
    if (!environment_id.empty()) last_.environment_id = std::move(environment_id);
    last_.status = "pending";
    last_.at = Timestamp{clock_.now_ms()};
}

void ProgressMeter::set_plan(const OperationPlan& plan) {
    const std::lock_guard lock(mutex_);
    steps_.clear();
    std::int32_t index = 0;
    for (const StepPlan& planned : plan.steps) {
        StepMeter meter;
        meter.index = ++index;
        meter.weight = planned.weight;
        steps_.emplace(planned.name, meter);
    }
    last_.step_count = index;
    last_.status = "running";
}

void ProgressMeter::began(std::string_view step) {
    const std::lock_guard lock(mutex_);
    const auto found = steps_.find(step);
    if (found == steps_.end()) return;
    found->second.status = StepStatus::running;
    last_.step = step;
    last_.step_status = "running";
    last_.step_index = found->second.index;
}

void ProgressMeter::ended(std::string_view step, StepStatus status) {
    const std::lock_guard lock(mutex_);
    const auto found = steps_.find(step);
    if (found == steps_.end()) return;
    found->second.status = status;
    if (last_.step == step) last_.step_status = boost::describe::enum_to_string(status, "");
}

void ProgressMeter::set_total(std::string_view step, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (const auto found = steps_.find(step); found != steps_.end()) found->second.total = bytes;
}

void ProgressMeter::add(std::string_view step, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (const auto found = steps_.find(step); found != steps_.end()) found->second.done += bytes;
}

void ProgressMeter::set_message(std::string message) {
    const std::lock_guard lock(mutex_);
    last_.message = std::move(message);
}

void ProgressMeter::finish(std::string status, std::string error) {
    const std::lock_guard lock(mutex_);
    last_.status = std::move(status);
    last_.done = true;
    if (!error.empty()) last_.error = std::move(error);
}

double ProgressMeter::percent_locked() const {
    double all = 0;
    double done = 0;
    for (const auto& [name, meter] : steps_) {
        all += meter.weight;
        if (meter.status == StepStatus::completed || meter.status == StepStatus::skipped) {
            done += meter.weight;
        } else if (meter.status == StepStatus::running) {
            const double share =
                meter.total == 0 ? kUnknownShare
                                 : std::min(0.99, static_cast<double>(meter.done) / static_cast<double>(meter.total));
            done += meter.weight * share;
        }
    }
    return all == 0 ? 0 : 100 * done / all;
}

Progress ProgressMeter::snapshot() const {
    const std::lock_guard lock(mutex_);
    const bool success = last_.done && !last_.error.has_value();
    const double percent = success ? 100 : std::min(99.9, percent_locked());
    last_.percent = std::max(last_.percent, percent);
    last_.bytes_done = 0;
    last_.bytes_total = 0;
    for (const auto& [name, meter] : steps_) {
        last_.bytes_done += meter.done;
        last_.bytes_total += std::max(meter.total, meter.done);
    }
    const std::int64_t now = steady_ms();
    if (rate_since_ms_ == 0 || last_.bytes_done < rate_since_bytes_) {
        rate_since_ms_ = now;
        rate_since_bytes_ = last_.bytes_done;
    } else if (now - rate_since_ms_ >= kRateWindowMs) {
        const auto elapsed = static_cast<std::uint64_t>(now - rate_since_ms_);
        last_.rate_bytes_per_sec = (last_.bytes_done - rate_since_bytes_) * 1000 / elapsed;
        rate_since_ms_ = now;
        rate_since_bytes_ = last_.bytes_done;
    }
    last_.at = Timestamp{clock_.now_ms()};
    return last_;
}

}  // namespace backstay
