#include "agent/jobs/backup/place.h"

#include "agent/jobs/destinations.h"

namespace backstay::backup {

Place::Place(const DestinationOrder& order, const JobHost& host, std::stop_token stop)
    : order_(order), host_(host), on_job_stop_(std::move(stop), [this] { stop_.request_stop(); }) {}

Result<std::unique_ptr<Storage>> Place::open() const { return open_destination(order_, host_, stop_.get_token()); }

Result<std::unique_ptr<Storage>> Place::open_for_check() const {
    return open_destination(order_, host_, stop_.get_token(), kBriefPatience);
}

Result<std::unique_ptr<Storage>> Place::open_for_cleanup() const { return open_destination(order_, host_, {}); }

void Place::fail(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = error;
    }
    stop_.request_stop();
}

std::optional<Error> Place::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

}  // namespace backstay::backup
