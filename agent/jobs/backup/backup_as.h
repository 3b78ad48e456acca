// A backup of a database that has another name than the one it is known by: of an import, whose database is a scratch
// one.
#pragma once

#include <string>

#include "agent/jobs/jobs.h"

namespace backstay::backup {

// run_backup, whose manifest calls the database `database`.
Result<BackupOutcome> run_backup_as(const std::string& database, const BackupOrder& order, const JobHost& host,
                                    Steps& steps);

}  // namespace backstay::backup
