// Clean-up of restores that died, and of the pairs that finished restores keep.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/jobs/jobs.h"

namespace backstay::restore {

// By a restore's notes: a swap under way is put back (a finished one stays), what was made beside is dropped, a stopped
// Odoo is started. Idempotent; answers what it did. Part of sweep_after_crash.
Result<std::vector<std::string>> sweep(const Facts& notes, const JobHost& host);

}  // namespace backstay::restore
