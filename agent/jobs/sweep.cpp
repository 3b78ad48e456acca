#include "agent/jobs/restore/sweep.h"
#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/jobs.h"

namespace backstay {

Result<Swept> sweep_after_crash(const Facts& notes, const JobHost& host, const NoteWriter& note) {
    Swept swept = TRY(restore::sweep(notes, host, note));
    Swept backups = TRY(backup::sweep(notes, host, note));
    swept.done.insert(swept.done.end(), backups.done.begin(), backups.done.end());
    swept.clean = swept.clean && backups.clean;
    return swept;
}

Result<> forget_leftovers(const Facts& notes, const std::vector<DestinationOrder>& whole, const NoteWriter& note) {
    return backup::forget(notes, whole, note);
}

}  // namespace backstay
