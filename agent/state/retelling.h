// Tells the control plane once more what this agent made: for one that was put back to an earlier state
// (backstay-control restore) and does not know it.
#pragma once

#include <cstdint>

#include "common/clock.h"
#include "common/sqlite/database.h"

namespace backstay {

struct Retold {
    std::int64_t jobs = 0;
    std::int64_t reports = 0;
    std::int64_t waiting = 0;  // jobs left out, for reports of theirs are not sent yet: tell again when they are
};

// Of jobs that succeeded since then and whose backup or snapshot still exists: declaration, plan, steps, copies and end
// go into the outbox again, as of jobs that began here (fence 0), with `toldAgain` in the order: nobody
// knows there any more whether a backup by hand was to stay. A control plane that knows such a job refuses or
// ignores them, so this may be done twice. Jobs with reports that were not sent yet are left out.
Result<Retold> tell_again(sqlite::Database& database, TimeMs since);

}  // namespace backstay
