// The host's own folder of snapshots, which jobs open like a local destination that nobody need allow.
#pragma once

#include <memory>
#include <stop_token>

#include "agent/jobs/jobs.h"
#include "common/domain/orders.h"
#include "storage/storage.h"

namespace backstay::snapshot {

class OwnPlace {
public:
    // What `host` refers to outlives it.
    explicit OwnPlace(const JobHost& host);
    OwnPlace(const OwnPlace&) = delete;
    OwnPlace& operator=(const OwnPlace&) = delete;

    // The host as jobs on snapshots see it: this folder is among its local_roots.
    const JobHost& host() const { return host_; }
    // Its id is kHostPlace.
    const DestinationOrder& destination() const { return destination_; }
    const std::string& path() const { return path_; }

    Result<std::unique_ptr<Storage>> open(std::stop_token stop) const;

private:
    AgentConfig config_;
    std::string path_;
    DestinationOrder destination_;
    JobHost host_;
};

}  // namespace backstay::snapshot
