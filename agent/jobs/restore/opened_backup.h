// A backup found again in its destinations: manifest, key, and which destinations hold which artifact.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/artifact/reader.h"
#include "agent/jobs/jobs.h"
#include "common/domain/manifest.h"
#include "common/domain/orders.h"

namespace backstay::restore {

// Opened destinations, best first. One thread at a time: a second thread opens its own.
struct Origins {
    std::vector<std::unique_ptr<Storage>> storages;
    std::vector<ArtifactOrigin> list;
};
Result<std::string> fetch_manifest_text(Storage& storage, const std::string& folder);
// corrupted: it is no manifest, or (structure_invalid) that of another backup; `backup_id` may be empty.
Result<Manifest> read_manifest_of(std::string_view text, const std::string& folder, const std::string& backup_id);

// Those that cannot be opened are left out; none at all is an error.
Result<Origins> open_origins(const std::vector<DestinationOrder>& destinations, const JobHost& host,
                             std::stop_token stop);

struct OpenedBackup {
    Origins origins;
    std::string folder;
    Manifest manifest;
    std::optional<StreamKey> key;
};

// Reads the manifest from the first destination that gives a whole one. A manifest of another backup is
// structure_invalid; none anywhere is not_found with reason remote_missing.
Result<OpenedBackup> open_backup(const std::vector<DestinationOrder>& destinations, const std::string& folder,
                                 const std::string& backup_id, const JobHost& host, std::stop_token stop);

// Leaves in `opened` only destinations that hold all of `artifacts` in their full size.
Result<Testimony> find_artifacts(OpenedBackup& opened, const std::vector<std::string>& artifacts);

// Calls `read` with all destinations; when the content was damaged there, again without the first, and so on.
// Damage is only known at the end, so `read` begins from nothing each time.
Result<> with_sound_origin(const Origins& origins,
                           const std::function<Result<>(const std::vector<ArtifactOrigin>&)>& read);

}  // namespace backstay::restore
