// Clean-up of restores that died, and of undos.
#pragma once

#include "agent/jobs/jobs.h"

namespace backstay::restore {

// By a restore's notes. A swap under way is put back. One that was finished but not committed is proven as the restore
// itself would have (Odoo starts, its health check answers) and committed, or put back. What was made beside is
// dropped, a stopped Odoo is started. Idempotent. Part of sweep_after_crash.
Result<Swept> sweep(const Facts& notes, const JobHost& host, const NoteWriter& note);

}  // namespace backstay::restore
