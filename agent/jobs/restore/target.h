// Where a restore goes: names, roles, folders, and whether it may go there at all. Everything here only looks.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "agent/evidence/testimony.h"
#include "agent/jobs/jobs.h"
#include "agent/postgres/cluster.h"
#include "common/domain/manifest.h"
#include "common/pq/connection.h"

namespace backstay::restore {

struct FileOwner {
    uid_t uid = 0;
    gid_t gid = 0;
};

struct Target {
    ClusterConfig cluster;
    const OdooConfig* odoo = nullptr;
    bool wants_database = true;
    bool wants_filestore = true;
    std::string database;
    std::string side_database;
    std::string previous_database;
    bool database_exists = false;
    std::string owner;       // role that owns the database, now or then; "" until the manifest names one
    bool superuser = false;  // the agent's role is
    std::int32_t server_version_num = 0;
    std::string filestore;  // "" when nobody says where it is
    std::string side_filestore;
    std::string previous_filestore;
    bool filestore_exists = false;
    FileOwner file_owner;
    std::string scratch;  // a folder of this restore's own, not yet made
};

// The maintenance connection: to a database that no restore touches.
Result<pq::Connection> connect_to_cluster(const ClusterConfig& cluster, std::stop_token stop);

// `id` (the restore's) gives the side names, so that a sweep finds them again.
Result<Target> look_at_target(const RestoreOrder& order, const JobHost& host, pq::Connection& cluster);

// What a restore of this backup into this target would stumble over: another operation, prepared transactions, roles,
// versions, extensions, folders, space. The first fault is answered; nothing has been touched.
Result<Testimony> check_target(Target& target, const Manifest& manifest, bool needs_scratch, pq::Connection& cluster,
                               std::stop_token stop);

// Held by one operation at a time on a database of the cluster, until the connection ends. target_locked.
Result<> lock_target(pq::Connection& cluster, const std::string& database);

// The same after a process died: its session goes on until its statement ends (a CREATE DATABASE, a COMMIT), and only
// then what it left can be judged. Waits for that at most `limit_ms`; target_locked.
Result<> take_over_target(pq::Connection& cluster, const std::string& database, std::int64_t limit_ms = 60'000);

// "__restore_" and the tail of the id; at most 63 bytes together.
std::string side_name(const std::string& database, std::string_view what, const std::string& id);

}  // namespace backstay::restore
