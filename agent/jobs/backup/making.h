// What a backup and a snapshot make alike: their artifacts, side by side, and the manifest over them.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/jobs/backup/database.h"
#include "agent/jobs/backup/extras.h"
#include "agent/jobs/backup/filestore.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/backup/shipping.h"

namespace backstay::backup {

// Whatever has been stored, as the steps go on.
struct Stored {
    DatabaseStored database;
    std::optional<FilestoreStored> filestore;
    std::optional<Reconciled> reconciled;
    ExtrasStored extras;
};

struct Making {
    Prepared& prepared;
    Shipping& shipping;
    Throttle& throttle;
    Steps& steps;
    std::string_view filestore_step;
    // On a thread of its own; calls `on_listed` as soon as it no longer needs the PostgreSQL snapshot. Empty: none.
    std::function<Result<FilestoreStored>(std::stop_token stop, const std::function<void()>& on_listed)> filestore;
};
// Dump, filestore and configuration, each in its step. The PostgreSQL snapshot is closed as soon as nobody needs it.
Result<Stored> make_artifacts(Making& making);

std::vector<ManifestArtifact> artifacts_of(const Stored& stored);

// The manifest as of now; kind "backup".
Manifest describe(const Prepared& prepared, const Stored& stored, TimeMs started_at);

// Stored bytes of all artifacts in one place, the manifest's text among them.
std::uint64_t bytes_of(const Manifest& manifest, const std::string& text);

Result<Testimony> testify_checksums(const Stored& stored);
Result<Testimony> testify_manifest(const Manifest& manifest, const std::string& text);
// What would be read from the stored manifest is what was meant, and the dump's own table of contents was listed.
Result<Testimony> verify_manifest(const Manifest& manifest, const std::string& text, const Stored& stored);

}  // namespace backstay::backup
