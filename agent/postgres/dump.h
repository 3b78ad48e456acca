// pg_dump inside a snapshot. Way (a), one stream of its custom format; way (b) is parallel_dump.h. Start and use a
// stream on one thread that outlives it (the child dies with the thread that started it).
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/config/config.h"
#include "agent/postgres/cluster.h"
#include "common/process/subprocess.h"
#include "common/result.h"

namespace backstay::postgres {

struct DumpRequest {
    Tool pg_dump;
    const ClusterConfig& cluster;
    std::string database;
    std::string snapshot;
    Priority priority;
    std::stop_token stop;
    std::int64_t stall_limit_ms = 15 * 60 * 1000;  // way (a) only: no byte for so long ends it
};

// Custom format, not compressed, on stdout. Its end is only an end when pg_dump left with success; errors come out of
// classify_dump_error().
Result<std::unique_ptr<Subprocess>> start_custom_dump(const DumpRequest& request);

// Roles and tablespaces as SQL; with passwords only when asked (needs a superuser).
Result<std::string> dump_globals(const Tool& pg_dumpall, const ClusterConfig& cluster, bool with_passwords,
                                 std::stop_token stop);

// Entries of the table of contents of an archive (a file, or a folder of the directory format).
Result<std::string> list_archive(const Tool& pg_restore, const std::string& path, std::stop_token stop);

// Gives a failed pg_dump the reason code that its last words deserve.
Error classify_dump_error(Error error);

// A parallel worker could not get its lock because somebody waits for a stronger one: way (a) will manage.
bool is_worker_lock_failure(const Error& error);

// Arguments that both ways share.
ProcessSpec dump_process(const DumpRequest& request);

}  // namespace backstay::postgres
