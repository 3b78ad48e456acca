// Asks the servers whose WAL is archived: who they are, how their archiver is doing, and whether they are set up for
// it. Keeps quiet ones recoverable: a heartbeat message each archive_timeout is a commit whose time tells that until
// then nothing else was committed. One thread; a server that does not answer is asked again.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "agent/config/config.h"
#include "common/clock.h"
#include "common/domain/lsn.h"
#include "common/result.h"

namespace backstay::archiver {

// What a server says of itself.
struct ServerFacts {
    std::string system_id;
    std::int32_t version_num = 0;
    std::uint64_t segment_bytes = 0;
    wal::Timeline timeline = 0;  // of its last checkpoint
    bool in_recovery = false;
    std::string wal_level;
    std::string archive_mode;
    std::string archive_command;
    std::string archive_library;
    std::int64_t archive_timeout_s = 0;
    std::string data_directory;
    std::int64_t failed_count = 0;
    std::optional<std::string> last_archived;
    std::optional<std::string> last_failed;
    std::optional<std::int64_t> ready;  // .ready files; nullopt: no right to look
};

Result<ServerFacts> ask_server(const ClusterConfig& cluster, std::int64_t timeout_ms, const std::stop_token& stop);

// Why WAL is not archived by the agent, from the server's own settings; empty: it is.
std::string fault_of_setup(const ServerFacts& facts);

class ClusterWatch {
public:
    struct Watched {
        ClusterConfig cluster;
        std::int32_t archive_timeout_s = 60;
    };
    // `learned` is called on the watch's thread after each answer.
    using Learned = std::function<void(const std::string& cluster, const ServerFacts& facts)>;

    ClusterWatch(std::vector<Watched> watched, Learned learned);
    ~ClusterWatch();
    ClusterWatch(const ClusterWatch&) = delete;
    ClusterWatch& operator=(const ClusterWatch&) = delete;

    struct Seen {
        std::optional<ServerFacts> facts;
        std::string problem;  // why it does not answer
    };
    Seen seen(const std::string& cluster) const;

private:
    void work();
    void look_at(const Watched& watched);
    Result<> beat(const ClusterConfig& cluster);

    std::vector<Watched> watched_;
    Learned learned_;
    std::stop_source stop_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::map<std::string, Seen> seen_;
    std::map<std::string, std::int64_t> beat_due_;
    std::thread thread_;
};

}  // namespace backstay::archiver
