// A ZIP of Odoo's database manager becomes a backup of ours: loaded into a scratch database and a scratch folder, as
// Odoo would restore it, and backed up from there. So every proof that a backup has is there, and nothing is believed
// that was not seen.
#pragma once

#include <optional>
#include <string>

#include "agent/jobs/jobs.h"
#include "agent/jobs/odoo_zip/contents.h"

namespace backstay::odoo_zip {

struct ImportOrder {
    std::string backup_id;
    std::string zip;  // a file
    DestinationOrder destination;
    bool encrypt = false;
    std::optional<std::string> database;  // the name that it shall have; absent: as manifest.json says
    std::optional<std::string> cluster;   // for the scratch database
    std::optional<std::string> owner;     // of the database; absent: the cluster's user
    std::optional<std::string> label;
};

struct ImportOutcome {
    BackupOutcome backup;
    ZipContents contents;
    std::string zip_sha256;
};

// Whatever it answers, the scratch database and folder are gone, and after an error nothing of it lies in the
// destination; notes for a sweep are left while they are there. Needs a PostgreSQL of at least the dump's version, and
// room for database and files.
Result<ImportOutcome> run_import(const ImportOrder& order, const JobHost& host, Steps& steps);

}  // namespace backstay::odoo_zip
