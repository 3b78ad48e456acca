// The filestore artifact: exactly the files that rows of the snapshot name, each checked against its SHA-1.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/artifact/file_packer.h"
#include "agent/artifact/throttle.h"
#include "agent/evidence/testimony.h"
#include "agent/jobs/backup/name_list.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/backup/shipping.h"
#include "agent/odoo/collector_hold.h"

namespace backstay::backup {

struct Reconciled {
    ManifestFilestore filestore;
    std::uint64_t damaged = 0;
    std::uint64_t missing = 0;  // also unreadable ones
    std::uint64_t external = 0;
    std::uint64_t gone_since = 0;  // missing, and the row was deleted after the snapshot
    std::int64_t rows = 0;
};
Testimony testify(const Reconciled& reconciled);

struct FilestoreStored {
    ManifestArtifact artifact;
    PackedFiles packed;
    std::uint64_t names = 0;  // distinct names in the snapshot
    std::uint64_t external = 0;
    std::vector<ManifestFileProblem> problems;  // the first 1,000
    bool collector_held = false;                // Odoo could not delete files meanwhile
    // Of a differential: what its base holds, and so this archive need not.
    std::uint64_t held_files = 0;
    std::uint64_t held_bytes = 0;
    std::optional<Reconciled> reconciled;  // when that is part of the same step
};
Testimony testify(const FilestoreStored& stored);

// `on_listed` is called, whatever happens, as soon as the snapshot is no longer needed.
Result<FilestoreStored> store_filestore(const Prepared& prepared, Shipping& shipping, Throttle& throttle,
                                        ProgressMeter& progress, std::stop_token stop,
                                        const std::function<void()>& on_listed);

struct PackingPlan {
    std::string step;  // whose progress it is
    std::string file;  // inside the backup's folder
    std::uint64_t expected_bytes = 0;
    NameList names;
    std::optional<odoo::CollectorHold> hold;
    std::function<Result<>(TarWriter& tar)> first;                      // members before the files
    std::function<Result<>(const std::string& store_fname)> on_packed;  // each sound file, on another thread
};
// Packs the files of a list.
Result<FilestoreStored> pack_filestore(const Prepared& prepared, Shipping& shipping, Throttle& throttle,
                                       ProgressMeter& progress, std::stop_token stop, PackingPlan& packing);

// Names against members: every name is packed, or named with the record it belongs to.
Result<Reconciled> reconcile(const Prepared& prepared, FilestoreStored& stored, std::stop_token stop);

}  // namespace backstay::backup
