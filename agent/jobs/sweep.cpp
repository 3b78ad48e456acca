#include "agent/jobs/restore/sweep.h"
#include "agent/jobs/backup/leftovers.h"
#include "agent/jobs/jobs.h"
#include "agent/jobs/pitr/sidecar.h"

namespace backstay {

Result<Swept> sweep_after_crash(const Facts& notes, const JobHost& host, const NoteWriter& note) {
    // Before the scratch folder that a recovery server may still work in.
    const std::vector<std::string> recovered = TRY(pitr::sweep(notes, note));
    Swept swept = TRY(restore::sweep(notes, host, note));
    swept.done.insert(swept.done.begin(), recovered.begin(), recovered.end());
    Swept backups = TRY(backup::sweep(notes, host, note));
    swept.done.insert(swept.done.end(), backups.done.begin(), backups.done.end());
    swept.clean = swept.clean && backups.clean;
    swept.copies = std::move(backups.copies);
    return swept;
}

bool has_leftovers_below(const Facts& notes, const std::string& folder) {
    return backup::has_leftovers_below(notes, folder);
}

Result<> forget_leftovers(const Facts& notes, const std::vector<DestinationOrder>& whole, const NoteWriter& note) {
    return backup::forget(notes, whole, note);
}

}  // namespace backstay
