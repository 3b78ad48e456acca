// The small artifacts: configuration and globals.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "agent/evidence/testimony.h"
#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/backup/shipping.h"

namespace backstay::backup {

struct ExtrasStored {
    ManifestArtifact config;
    ManifestArtifact globals;
    std::vector<std::string> files;  // members of the configuration archive
    bool with_secrets = false;
};
Testimony testify(const ExtrasStored& stored);

// Secrets (odoo.conf's passwords, role passwords) are in them only when the artifacts are encrypted.
Result<ExtrasStored> store_extras(const Prepared& prepared, Shipping& shipping, std::stop_token stop);

}  // namespace backstay::backup
