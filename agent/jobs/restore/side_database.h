// The new database, made under a side name beside the one in use. Odoo does not see it: it lists no templates.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/jobs/restore/opened_backup.h"
#include "agent/jobs/restore/target.h"

namespace backstay::restore {

// The dump as pg_restore reads it in parallel: a file of the custom format or a folder of the directory format.
struct FetchedDump {
    std::string path;
    std::string toc;            // pg_restore --list
    std::uint64_t entries = 0;  // of the table of contents
    std::uint64_t bytes = 0;
};

// Fetches and unpacks the dump into `folder` (made, mode 0700), and lists it. Damage is checksum_mismatch or
// structure_invalid.
Result<FetchedDump> fetch_dump(const std::vector<ArtifactOrigin>& origins, const OpenedBackup& backup,
                               const std::string& folder, const Tool& pg_restore, std::stop_token stop,
                               const OnStoredBytes& on_bytes);

struct DatabaseMaking {
    const Target& target;
    const Manifest& manifest;
    std::string name;  // the side name
    std::int32_t jobs = 2;
    std::stop_token stop;
    std::function<void(std::uint64_t bytes)> on_size;  // grows while the database does
};

struct DatabaseMade {
    std::vector<std::string> notes;  // what was mapped or left out
    std::int64_t grants = 0;
};

// CREATE DATABASE, extensions prepared, pg_restore, grants mapped. On failure the caller drops the name.
Result<DatabaseMade> make_database(const DatabaseMaking& making, const FetchedDump& dump, const Tool& pg_restore,
                                   pq::Connection& cluster);

// What a dump does not carry and belongs to the database that is replaced: settings, connection limit, rights, comment.
Result<> copy_settings(pq::Connection& cluster, const std::string& from, const std::string& to);

}  // namespace backstay::restore
