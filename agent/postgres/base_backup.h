// pg_basebackup as a stream, and what its label and manifest say about the WAL that it needs.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "agent/config/config.h"
#include "agent/postgres/cluster.h"
#include "common/domain/lsn.h"
#include "common/process/subprocess.h"
#include "common/result.h"

namespace backstay::postgres {

// A cluster as base backups and recoveries see it.
struct ClusterFacts {
    std::string server_version;  // "15.18"
    std::int32_t server_version_num = 0;
    std::string system_id;
    wal::Timeline timeline = 0;
    std::uint64_t segment_bytes = wal::kDefaultSegmentBytes;
    std::uint64_t size_bytes = 0;  // of all databases
    std::string superuser;         // the role that initdb made, which no DROP ROLE can remove
    std::int64_t tablespaces = 0;  // beyond PostgreSQL's own two
    bool archiving = false;        // archive_mode is on and a command or library is set
    bool in_recovery = false;
};
Result<ClusterFacts> read_cluster_facts(pq::Connection& connection);

struct BaseBackupRequest {
    Tool pg_basebackup;
    const ClusterConfig& cluster;
    std::string label;
    Priority priority;
    std::stop_token stop;
    // The server waits at the end until it has archived what the backup needs; nothing for so long ends it.
    std::int64_t stall_limit_ms = 15 * 60 * 1000;
};

// One tar on stdout: the data folder, backup_label first, backup_manifest (SHA-256) last, no WAL.
Result<std::unique_ptr<Subprocess>> start_base_backup(const BaseBackupRequest& request);

// Gives a failed pg_basebackup the reason code that its last words deserve.
Error classify_base_backup_error(Error error);

struct BackupLabel {
    wal::Lsn start = 0;
    wal::Lsn checkpoint = 0;
    wal::Timeline timeline = 0;
};
Result<BackupLabel> parse_backup_label(std::string_view text);

// The WAL that makes the backup consistent, from the end of PostgreSQL's manifest (its last 4 KiB suffice).
struct WalNeed {
    wal::Timeline timeline = 0;
    wal::Lsn start = 0;
    wal::Lsn stop = 0;
};
Result<WalNeed> parse_wal_need(std::string_view manifest_tail);

}  // namespace backstay::postgres
