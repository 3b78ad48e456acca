#include "agent/jobs/snapshot/own_place.h"

#include "agent/jobs/destinations.h"
#include "common/files/files.h"

namespace backstay::snapshot {
namespace {

// Kept free for PostgreSQL and Odoo, which live on the same disk.
constexpr std::uint64_t kMinFreeBytes = 64ULL << 20;

AgentConfig opened_config(const AgentConfig& config) {
    AgentConfig opened = config;
    opened.local_roots.push_back(snapshot_folder(config));
    return opened;
}

}  // namespace

OwnPlace::OwnPlace(const JobHost& host)
    : config_(opened_config(host.config)),
      path_(snapshot_folder(host.config)),
      host_{config_, host.agent_id, host.agent_version, host.clock, host.rate_bytes_per_sec} {
    destination_.id = kHostPlace;
    destination_.name = "this host";
    destination_.type = "local";
    destination_.config["path"] = path_;
    destination_.config["minFreeBytes"] = kMinFreeBytes;
}

Result<std::unique_ptr<Storage>> OwnPlace::open(std::stop_token stop) const {
    TRY(make_folders(path_, 0700));
    return open_destination(destination_, host_, std::move(stop));
}

}  // namespace backstay::snapshot
