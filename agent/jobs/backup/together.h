// Parts of one job side by side.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "common/result.h"

namespace backstay::backup {

// The first that fails stops the other, whose end is then explained by the first.
class Together {
public:
    explicit Together(const std::stop_token& job_stop)
        : job_stop_(job_stop), on_job_stop_(job_stop, [this] { stop_.request_stop(); }) {}

    std::stop_token stop() const { return stop_.get_token(); }

    template <class T>
    Result<T> guard(std::string_view part, Result<T> result) {
        if (result) return result;
        const std::lock_guard lock(mutex_);
        Error& error = result.error();
        if (first_ && error.code() == Errc::cancelled && !job_stop_.stop_requested()) {
            return Error(Errc::cancelled, fmt::format("stopped, because {} failed", first_part_))
                .with_reason(first_->reason());
        }
        if (!first_) {
            first_ = error;
            first_part_ = part;
            stop_.request_stop();
        }
        return result;
    }
    std::optional<Error> first() const { return first_; }

private:
    std::stop_token job_stop_;
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> on_job_stop_;
    std::mutex mutex_;
    std::optional<Error> first_;
    std::string first_part_;
};

}  // namespace backstay::backup
