// What a backup leaves behind when it dies, or fails while a destination is out of reach: noted before it is written,
// swept when it can be.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/jobs/backup/preflight.h"
#include "agent/jobs/jobs.h"

namespace backstay::backup {

// Elsewhere than on this host, what others began to store is surely dead only when it is as old as this.
inline constexpr std::int64_t kDeadUploadMs = 24LL * 3600 * 1000;

// What a backup is about to leave: its folder in the destinations, and a scratch folder "…/backup-…" ("" for none).
struct Leftovers {
    std::string folder;
    std::string scratch;
    const std::vector<DestinationOrder>& destinations;
    TimeMs now = 0;
};
Leftovers leftovers_of(const Prepared& prepared);

// Notes for sweep(), to be set before anything is written.
Result<> leave_notes(const Leftovers& leftovers, Steps& steps);
// After the end: the notes go, but for those destinations from which what failed there could not be removed.
Result<> settle_notes(const Leftovers& leftovers, const std::set<std::string>& left_behind, Steps& steps);

// A copy of what lies elsewhere is about to be written to that folder; the note goes when the copy is whole, or nothing
// of it is there any more.
Result<> note_copy(const std::string& folder, const DestinationOrder& destination, TimeMs now, Steps& steps);
Result<> settle_copy(const std::string& folder, const DestinationOrder& destination, Steps& steps);

// After a crash, or when a backup left something behind: removes the scratch folder and the objects of a backup that
// came to nothing. A destination that is out of reach, or whose configuration only the control plane has, keeps its
// place in the note until it can be opened, at most 30 days. Answers what it did; unknown notes are ignored.
Result<Swept> sweep(const Facts& notes, const JobHost& host, const NoteWriter& note);

// jobs.h: has_leftovers_below().
bool has_leftovers_below(const Facts& notes, const std::string& folder);

// A copy has made these destinations whole since: they hold no leftovers any more.
Result<> forget(const Facts& notes, const std::vector<DestinationOrder>& whole, const NoteWriter& note);

}  // namespace backstay::backup
