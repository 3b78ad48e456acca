// WAL archiving as a whole: the socket, and for each cluster of the configuration an archiver, a fetcher and a filler,
// made when the cluster's system identifier is known. Any thread, but start(), stop() and the end come from one.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "agent/archiver/archiver.h"
#include "agent/archiver/cluster_watch.h"
#include "agent/archiver/fetcher.h"
#include "agent/archiver/filler.h"
#include "agent/archiver/recorder.h"
#include "agent/archiver/wal_socket.h"
#include "agent/worker/settings.h"
#include "common/crypto/secretstream.h"

namespace backstay::archiver {

struct DestinationStatus {
    std::string id;
    std::string name;
    bool down = false;
    std::string why;
    std::uint64_t lacking = 0;
    std::uint64_t conflicts = 0;
};

// One [[wal]] of the configuration.
struct ClusterStatus {
    WalConfig config;
    std::string system_id;  // empty: not known yet
    std::string folder;
    ArchiverStatus archiver;
    std::optional<ServerFacts> server;
    std::string problem;      // why the server does not say now whether it archives
    std::string setup_fault;  // what keeps the server from archiving; empty: nothing, or not known
    std::vector<DestinationStatus> destinations;
};

class Service {
public:
    // `settings` outlives it. `organization_id`: whose folder a new archive gets. `on_jump`: Recorder's; a base backup
    // may be due.
    Service(const Settings& settings, std::string organization_id, std::function<void()> on_jump = {});
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // As the configuration says now; without any [[wal]] it does nothing.
    Result<> start();
    void stop();

    std::vector<ClusterStatus> status() const;

private:
    struct Entry {
        WalConfig config;
        std::optional<StreamKey> key;
        std::unique_ptr<Archiver> archiver;
        std::unique_ptr<Fetcher> fetcher;
        std::unique_ptr<Filler> filler;
    };
    SocketAnswer serve(SocketCall call);
    Result<> push(SocketCall& call);
    Result<> fetch(SocketCall& call, Fd& beside);
    // The cluster that the call is about.
    Result<Entry*> find(const SocketCall& call, const wal::WalName& name);
    Result<Entry*> recognize(const std::string& system_id, const std::optional<std::uint64_t>& segment_bytes);
    Result<Entry*> entry(const WalConfig& config, WalCluster cluster);
    Result<std::unique_ptr<Entry>> make(const WalConfig& config, const WalCluster& cluster);
    void learned(const std::string& cluster, const ServerFacts& facts);
    WalCluster cluster_of(const WalConfig& config, const std::string& system_id, std::uint64_t segment_bytes) const;

    const Settings& settings_;
    std::string organization_id_;
    std::function<void()> on_jump_;
    // Held while the parts below are put in place or taken away; calls on the socket come only between.
    mutable std::shared_mutex life_;
    AgentConfig config_;
    std::atomic<std::uint64_t> no_rate_{0};
    std::unique_ptr<Recorder> recorder_;
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Entry>> entries_;  // by system identifier
    std::map<std::string, std::string> current_;             // cluster → its system identifier
    std::unique_ptr<ClusterWatch> watch_;
    std::unique_ptr<WalSocket> socket_;
};

}  // namespace backstay::archiver
