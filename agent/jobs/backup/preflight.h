// What a backup needs to know and have before it begins, and what is found wrong with it at once.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/evidence/testimony.h"
#include "agent/jobs/backup/place.h"
#include "agent/jobs/jobs.h"
#include "agent/odoo/attachments.h"
#include "agent/odoo/instance.h"
#include "agent/odoo/location.h"
#include "agent/postgres/cluster.h"
#include "agent/postgres/snapshot.h"
#include "common/crypto/secretstream.h"
#include "common/files/files.h"

namespace backstay::backup {

struct Prepared {
    Prepared(const BackupOrder& ordered, const JobHost& on) : order(ordered), host(on) {}

    const BackupOrder& order;
    const JobHost& host;
    std::string folder;  // in every destination
    ClusterConfig cluster;
    std::string database;
    std::string known_as;  // what the manifest calls it; empty: as it is called
    bool full = false;
    std::optional<StreamKey> key;  // artifacts are encrypted
    std::vector<std::unique_ptr<Place>> places;

    std::optional<postgres::Snapshot> snapshot;
    ManifestPostgres facts;
    Tool pg_dump;
    Tool pg_restore;
    Tool pg_dumpall;
    std::optional<odoo::Instance> instance;
    odoo::Location location;
    const OdooConfig* configured = nullptr;
    odoo::AttachmentTotals attachments;

    std::optional<TempDir> scratch;
    bool parallel_dump = false;
    std::uint64_t scratch_free_bytes = 0;
};

// Its scratch folder, known before it is made, so that a note of it can be left first.
std::string scratch_of(const Prepared& prepared);

// Everything that looks only, the short test objects of probe_storage and the removal of what an earlier attempt of
// this same backup left. A destination that fails here is out; the last one failing is the error.
Result<Testimony> preflight(Prepared& prepared, std::stop_token stop);

}  // namespace backstay::backup
