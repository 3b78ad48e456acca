// The agent's configuration: read once from a TOML file (conf/agent.toml shows every key with its default), then handed
// down in pieces. Secrets are never in it, only paths of files that hold them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/orders.h"
#include "common/result.h"

namespace backstay {

struct ClusterConfig {
    std::string name = "main";
    std::string host = "/var/run/postgresql";  // a socket folder or a host name
    std::uint16_t port = 5432;
    std::string user = "backstay";
    std::string database = "postgres";  // where to connect for what concerns the whole cluster
    std::string password_file;          // empty: peer authentication or ~/.pgpass
    std::string bin_dir;                // empty: /usr/lib/postgresql/<major>/bin, then PATH
};

// One Odoo of this host. What is empty is found (odoo.conf's data_dir, Debian's defaults).
struct OdooConfig {
    std::string cluster = "main";
    std::string database;  // empty: every Odoo database that odoo_conf serves
    std::string filestore;
    std::string odoo_conf;
    std::vector<std::string> addons_paths;   // for neutralize.sql; empty: odoo.conf's addons_path
    std::vector<std::string> start_command;  // argv; both or none: the agent then manages the service
    std::vector<std::string> stop_command;
    std::string health_url;                   // GET must answer 200 after a restore
    std::string owner;                        // "user:group" of filestore files; empty: as the folder that is there
    std::vector<std::string> neutralize_sql;  // further SQL files of the admin, run after Odoo's own
};

struct Limits {
    std::int32_t concurrent_jobs = 2;      // backups, restores and verifications side by side
    std::uint64_t rate_bytes_per_sec = 0;  // each of reading and uploading; 0: unlimited; changeable while running
    std::int32_t zstd_level = 3;
    std::int32_t compression_threads = 2;
    std::int32_t dump_jobs = 2;                        // pg_dump -j of way (b)
    std::uint64_t parallel_dump_bytes = 256ULL << 20;  // databases from this size use way (b), scratch space permitting
    std::int32_t restore_jobs = 2;
    std::int32_t nice = 10;
    bool idle_io = true;
};

// One cluster whose write-ahead log is archived.
struct WalConfig {
    std::string cluster = "main";
    std::vector<std::string> destinations;  // ids or names of [[destination]]; empty: all of them
    std::string ack = "remote";             // remote: a destination holds it; spool: this host's disk does
    std::string on_overflow = "stall";      // stall: PostgreSQL keeps its WAL; drop: a gap is better than a full disk
    std::uint64_t overflow_bytes = 0;       // of waiting WAL, from which on `drop` drops
    std::uint64_t spool_max_bytes = 4ULL << 30;  // beyond it `spool` is as slow as `remote`
    std::int32_t retention_days = 7;
    std::int32_t base_every_days = 7;
    std::int32_t archive_timeout_s = 60;  // how far a quiet cluster's archive may lag behind
    std::int32_t zstd_level = 1;
};

struct AgentConfig {
    std::string state_dir = "/var/lib/backstay";
    std::string socket = "/run/backstay/agent.sock";
    std::string socket_group;                           // empty: the process's
    std::string wal_socket = "/run/backstay/wal.sock";  // for PostgreSQL's hooks; it can push and fetch WAL, no more
    std::uint16_t metrics_port = 0;                     // of 127.0.0.1, for Prometheus; 0: none
    std::string wal_group = "postgres";                 // who may use it; empty: the process's
    std::string scratch_dir;                            // empty: state_dir/scratch
    std::string snapshot_dir;                           // empty: state_dir/snapshots
    // How long snapshots that were asked for on this host are kept; those of a control plane go when it says so.
    std::int32_t snapshot_keep_days = 7;
    std::string control_plane_url;  // empty: stand-alone
    // Away for so long past a due moment of a schedule: the agent runs it by itself.
    std::int32_t control_plane_away_after_s = 600;
    std::string control_plane_ca_file;
    std::string encryption_key_file;       // empty: artifacts are not encrypted
    std::vector<std::string> local_roots;  // where `local` destinations may lie; empty: nowhere
    std::vector<ClusterConfig> clusters;
    std::vector<OdooConfig> odoo;
    std::vector<DestinationOrder> destinations;  // for requests on the socket; secrets come from *_file keys
    std::vector<std::string> encrypted;          // ids of those whose artifacts are encrypted (`encrypt = true`)
    std::vector<WalConfig> wal;
    Limits limits;
};

// The destinations of a cluster's WAL, in the order of the configuration.
std::vector<DestinationOrder> wal_destinations(const AgentConfig& config, const WalConfig& wal);
const WalConfig* find_wal(const AgentConfig& config, const std::string& cluster);

// Every problem at once, each with line and key ("line 12: [[cluster]] prot: is not known here").
Result<AgentConfig> load_agent_config(const std::string& file);

// The folder for temporary data, whether it was named or not.
std::string scratch_folder(const AgentConfig& config);
// The same for the host's own snapshots.
std::string snapshot_folder(const AgentConfig& config);

}  // namespace backstay
