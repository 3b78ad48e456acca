// One destination during one backup: it is opened by several threads, and once it failed nobody waits for it any more.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/jobs/jobs.h"
#include "common/domain/orders.h"
#include "common/result.h"
#include "storage/storage.h"

namespace backstay::backup {

class Place {
public:
    // `order` and `host` outlive it. `stop` ends it with the job.
    Place(const DestinationOrder& order, const JobHost& host, std::stop_token stop);

    const std::string& id() const { return order_.id; }
    const std::string& name() const { return order_.name; }
    bool is_local() const { return order_.type == "local"; }
    // A storage for the calling thread.
    Result<std::unique_ptr<Storage>> open() const;
    // The same with little patience: is it there at all?
    Result<std::unique_ptr<Storage>> open_for_check() const;
    // The same for cleaning up after the job was stopped.
    Result<std::unique_ptr<Storage>> open_for_cleanup() const;

    // The first failure stays. Ends every transfer with this destination.
    void fail(const Error& error);
    std::optional<Error> failure() const;
    // Something of this backup may lie there.
    void touch() { touched_ = true; }
    bool touched() const { return touched_; }
    std::stop_token stop_token() const { return stop_.get_token(); }

private:
    const DestinationOrder& order_;
    const JobHost& host_;
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> on_job_stop_;
    mutable std::mutex mutex_;
    std::optional<Error> failure_;
    std::atomic<bool> touched_ = false;
};

}  // namespace backstay::backup
