// A snapshot's copies in destinations, made when it is whole on the host.
#pragma once

#include <string>
#include <vector>

#include "agent/evidence/steps.h"
#include "agent/jobs/snapshot/own_place.h"
#include "common/domain/manifest.h"
#include "common/domain/orders.h"

namespace backstay::snapshot {

struct Copies {
    std::vector<std::string> destination_ids;       // those that hold a whole one now
    std::vector<std::string> base_destination_ids;  // those that hold its base, brought there or found
};

// In the optional steps remote_upload and remote_verify; what fails there stays in them. A differential's base goes
// before it where it is missing: without it the copy would be of no use.
Copies copy_out(const SnapshotOrder& order, const std::string& folder, const Manifest& manifest, const OwnPlace& place,
                Steps& steps);

// "<the environment's folder>/snapshots/<base id>", beside the snapshot's own.
std::string base_folder_of(const std::string& folder, const std::string& base_id);

}  // namespace backstay::snapshot
