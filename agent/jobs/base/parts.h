// Pieces of a base backup that stand for themselves.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "agent/jobs/jobs.h"
#include "agent/postgres/base_backup.h"
#include "common/bytes.h"
#include "common/crypto/secretstream.h"
#include "common/pq/connection.h"

namespace backstay::base {

// How long a base backup waits for the archive to hold its WAL.
inline constexpr std::int64_t kWalPatienceMs = 10 * 60 * 1000;

// A cluster that can be copied so that a recovery from the copy and the archive works.
Result<> check_cluster(const postgres::ClusterFacts& facts);
Result<std::vector<std::string>> list_databases(pq::Connection& connection);
Result<StreamKey> load_key(const JobHost& host);

// The server's own clock, by which commits are dated.
Result<TimeMs> server_time(const ClusterConfig& cluster, std::stop_token stop);
// A commit behind the backup, and a segment that ends with it: so the backup counts at once, also on a quiet server.
// Roles that may not do so wait for the next commit.
Result<> nudge_archiver(const ClusterConfig& cluster, const std::string& backup_id, std::stop_token stop);

// Keeps PostgreSQL's manifest in a file, and its last 4 KiB in memory.
class ManifestKeeper final : public Sink {
public:
    explicit ManifestKeeper(const std::string& path);
    ~ManifestKeeper() override;
    ManifestKeeper(const ManifestKeeper&) = delete;
    ManifestKeeper& operator=(const ManifestKeeper&) = delete;
    Result<> write(ByteSpan bytes) override;
    const std::string& tail() const { return tail_; }

private:
    static constexpr std::size_t kTail = 4096;
    std::string path_;
    std::FILE* file_;
    std::string tail_;
};
Result<> copy_file(const std::string& path, Sink& to);

}  // namespace backstay::base
