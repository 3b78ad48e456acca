// A backup as the ZIP that Odoo's own database manager restores: dump.sql first, manifest.json, filestore/. Streamed,
// in bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/jobs/restore/opened_backup.h"

namespace backstay::odoo_zip {

struct ZipMade {
    std::uint64_t bytes = 0;
    std::uint64_t sql_bytes = 0;
    std::uint64_t files = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t damaged = 0;   // content that its name denies, as the manifest says of them
    bool without_files = false;  // a backup of the database only
};

struct ZipOrder {
    const JobHost& host;
    std::stop_token stop;
    std::function<void(std::uint64_t bytes)> on_stored_bytes;  // as they are read
};

// What speaks against it, before the first byte: a base backup, a differential snapshot, no Odoo (invalid), artifacts
// that no destination has whole, a key that is not here. Leaves in `backup` the destinations that have all of it.
Result<> check_exportable(restore::OpenedBackup& backup);

// After check_exportable. Damage shows while it is written: what came by then is no ZIP. `to` is not finished.
Result<ZipMade> write_odoo_zip(const restore::OpenedBackup& backup, const ZipOrder& order, Sink& to);

// manifest.json under Odoo's names, numbers where Odoo has numbers.
std::string odoo_manifest_text(const OdooManifest& manifest);

}  // namespace backstay::odoo_zip
