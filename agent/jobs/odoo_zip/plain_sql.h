// The database of a backup as one SQL script, as psql reads it.
#pragma once

#include <stop_token>
#include <string>

#include "agent/jobs/restore/opened_backup.h"
#include "agent/postgres/cluster.h"

namespace backstay::odoo_zip {

struct SqlMaking {
    const restore::OpenedBackup& backup;
    Tool pg_restore;
    std::string scratch;  // a folder of its own; used only for what pg_dump wrote in parallel, and removed
    std::stop_token stop;
    std::function<void(std::uint64_t bytes)> on_stored_bytes;
};
// Without owners and rights, whose roles another server need not have. Streamed; `to` is not finished.
Result<> write_plain_sql(const SqlMaking& making, Sink& to);

}  // namespace backstay::odoo_zip
